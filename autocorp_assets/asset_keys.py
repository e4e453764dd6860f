"""The keys of all assets, in one place: sensors, commands and factories must agree on them."""

from __future__ import annotations

import dagster as dg

LAKE_WRITER = "lake_writer"
"""Concurrency pool of everything that writes curated tables; its limit is 1 (dagster.yaml)."""


def source_key(table: str) -> dg.AssetKey:
    """The table in PostgreSQL, outside the platform."""
    return dg.AssetKey(["source", "autocorp", table])


def landing_key(feed: str) -> dg.AssetKey:
    """The feed's exports in the landing folder, outside the platform."""
    return dg.AssetKey(["landing", feed])


def raw_table_key(table: str) -> dg.AssetKey:
    return dg.AssetKey(["raw", "database", table])


def raw_feed_key(feed: str) -> dg.AssetKey:
    return dg.AssetKey(["raw", "csv", feed])


def curated_key(table: str) -> dg.AssetKey:
    return dg.AssetKey(["curated", table])


def view_key(view: str) -> dg.AssetKey:
    return dg.AssetKey(["views", view])
