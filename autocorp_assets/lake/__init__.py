"""The lake as files: raw listings and snapshots of curated tables, without Spark."""
