"""What Dagster knows of the raw zone, and of what lies before it."""

from __future__ import annotations

import dagster as dg

from autocorp_assets.asset_keys import landing_key, raw_feed_key, raw_table_key, source_key
from autocorp_assets.contracts.model import Column, CsvFeed, TableContract
from autocorp_assets.contracts.raw_format import (
    COMMIT_TIME,
    EXTENSION,
    OP,
    SEQUENCE,
    feed_prefix,
    table_prefix,
)
from autocorp_assets.table_metadata import (
    column_schema,
    contract_reference,
    csv_schema,
    feed_lineage,
    raw_lineage,
    zone_tags,
)

CHANGE_COLUMNS = (
    Column(name=OP, source_type="TEXT", description="I, U or D; absent from load files."),
    Column(name=COMMIT_TIME, source_type="TEXT", description="When the source committed (UTC); load files: when read."),
    Column(name=SEQUENCE, source_type="TEXT", description="Order of changes, 35 digits; greater is later."),
    Column(name=EXTENSION, source_type="TEXT", description="What Parquet cannot say of the row, as JSON, or NULL."),
)


def source_spec(contract: TableContract) -> dg.AssetSpec:
    """The table in PostgreSQL, which the platform reads and never writes."""
    return dg.AssetSpec(
        key=source_key(contract.name),
        description=f"{contract.description} In the PostgreSQL database `autocorp`, which the platform only reads.",
        group_name="source",
        kinds={"postgres", "table"},
        owners=[contract.owner],
        tags=zone_tags("source", is_personal=bool(contract.personal_columns)),
        metadata={
            "dagster/column_schema": column_schema(contract, contract.columns),
            "dagster/table_name": f"autocorp.public.{contract.name}",
            "dagster/code_references": contract_reference(contract),
            "primary_key": contract.primary_key,
        },
    )


def landing_spec(feed: CsvFeed, contract: TableContract) -> dg.AssetSpec:
    """Where another system leaves its exports."""
    return dg.AssetSpec(
        key=landing_key(feed.name),
        description=f"{feed.description} Files `{feed.name}-YYYYMMDD.csv`, left there by another system.",
        group_name="source",
        kinds={"csv", "file"},
        owners=[contract.owner],
        tags=zone_tags("source", is_personal=bool(contract.personal_columns)),
        metadata={
            "dagster/column_schema": csv_schema(feed, contract),
            "dagster/code_references": contract_reference(contract),
            "file_names": feed.file_pattern().pattern,
            "key": list(feed.key),
        },
    )


def raw_table_spec(contract: TableContract) -> dg.AssetSpec:
    """Full load and changes of one table, as the source said them."""
    return dg.AssetSpec(
        key=raw_table_key(contract.name),
        deps=[source_key(contract.name)],
        description=f"Every change of `{contract.name}` as the source committed it: load files and change files.",
        group_name="raw_database",
        kinds={"postgres", "parquet"},
        owners=[contract.owner],
        tags=zone_tags("raw", is_personal=bool(contract.personal_columns)),
        metadata={
            "dagster/code_references": contract_reference(contract),
            "dagster/column_schema": column_schema(contract, (*contract.columns, *CHANGE_COLUMNS)),
            "dagster/column_lineage": raw_lineage(contract),
            "dagster/table_name": f"raw_database.{contract.name}",
            "path": table_prefix(contract.name),
        },
    )


def raw_feed_spec(feed: CsvFeed, contract: TableContract) -> dg.AssetSpec:
    """The deliveries of one feed, byte for byte."""
    return dg.AssetSpec(
        key=raw_feed_key(feed.name),
        deps=[landing_key(feed.name)],
        description=f"{feed.description} Verified copies of what arrived.",
        group_name="raw_csv",
        kinds={"csv", "file"},
        owners=[contract.owner],
        tags=zone_tags("raw", is_personal=bool(contract.personal_columns)),
        metadata={
            "dagster/code_references": contract_reference(contract),
            "dagster/column_schema": csv_schema(feed, contract),
            "dagster/column_lineage": feed_lineage(feed),
            "dagster/table_name": f"raw_csv.{feed.name}",
            "path": feed_prefix(feed.name),
        },
    )
