"""The two table formats behind one small surface."""
