"""What Dagster knows of a curated table before it runs."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from autocorp_assets.asset_keys import curated_key, raw_feed_key, raw_table_key
from autocorp_assets.contracts.model import ServiceLevel, TableContract
from autocorp_assets.record_tables import records_table
from autocorp_assets.table_metadata import (
    DATABASE_NAME,
    column_schema,
    contract_reference,
    curated_lineage,
    source_columns,
    try_query,
    zone_tags,
)


def curated_spec(contract: TableContract, *, condition: dg.AutomationCondition) -> dg.AssetSpec:
    """The asset of one curated table."""
    deps = [raw_table_key(contract.name)]
    if contract.csv_feed:
        deps.append(raw_feed_key(contract.csv_feed.name))
    return dg.AssetSpec(
        key=curated_key(contract.name),
        deps=deps,
        skippable=True,  # a table that fails must not fail the others
        description=f"{contract.description} Current state, one row a record; {contract.format.capitalize()} table.",
        group_name="curated",
        kinds={"spark", str(contract.format), "parquet"},
        owners=[contract.owner],
        tags=zone_tags("curated", is_personal=bool(contract.personal_columns)),
        automation_condition=condition,
        freshness_policy=freshness_policy(contract.service_level),
        metadata={
            "dagster/column_schema": column_schema(contract, contract.lake_columns),
            "dagster/column_lineage": curated_lineage(contract),
            "dagster/code_references": contract_reference(contract),
            "dagster/table_name": f"{DATABASE_NAME}.{contract.name}",
            "columns_are_made_of": records_table(
                [{"column": name, "in the source": ", ".join(of)} for name, of in source_columns(contract).items()],
                ("column", "in the source"),
            ),
            "path": contract.lake_path,
            "record_key": contract.record_key,
            "partitioned_by": list(contract.partition_columns),
            "contract_version": contract.version,
            "try_it": try_query(contract.name),
        },
    )


def freshness_policy(level: ServiceLevel) -> dg.FreshnessPolicy:
    """By the time of the last materialisation, of which a quiet table has one all the same: see `automation.freshness`.

    Views have none: one is asked when a table below it has changed, and shows its tables as they are at any time.
    """
    return dg.FreshnessPolicy.time_window(
        fail_window=timedelta(minutes=level.fail_minutes), warn_window=timedelta(minutes=level.warn_minutes)
    )
