"""Athena's SQL over the lake, on DuckDB."""
