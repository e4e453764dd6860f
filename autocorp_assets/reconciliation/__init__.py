"""Whether the lake holds what its sources say: by key and by value, never by count alone."""
