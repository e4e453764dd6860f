"""The views of `queries/views` as assets."""
