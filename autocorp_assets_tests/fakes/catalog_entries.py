"""Tables of a lake in moto, small and without Spark: Delta ones are real, Hudi ones only entries of the catalog."""

from __future__ import annotations

from typing import Any

from deltalake import write_deltalake

from autocorp_assets.checks.schemas import polars_type
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import LakeFormat, TableContract
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.table_metadata import DATABASE_NAME
from spark_jobs.lake_tables.catalog_sync import TABLE_PROPERTIES

DELTA = [name for name, contract in TABLES.items() if contract.format is LakeFormat.DELTA]
HUDI = [name for name, contract in TABLES.items() if contract.format is LakeFormat.HUDI]


def write_delta(lake: str, table: str) -> dict[str, str]:
    """A table without rows; its columns."""
    import polars as pl

    contract = TABLES[table]
    frame = pl.DataFrame(schema={column.name: polars_type(column) for column in contract.lake_columns})
    write_deltalake(f"{lake}/{contract.lake_path}", frame.to_arrow(), mode="overwrite")
    return stored(table)


def stored(table: str) -> dict[str, str]:
    """Columns of a table that is as its contract says."""
    return {column.name: column.type for column in TABLES[table].lake_columns}


def enter_hudi(lake: str, table: str, **changes: Any) -> None:
    """As the job's sync tool enters it."""
    client("glue").create_table(DatabaseName=DATABASE_NAME, TableInput={**hudi_input(lake, TABLES[table]), **changes})


def hudi_input(lake: str, contract: TableContract) -> dict[str, Any]:
    name, _, value = TABLE_PROPERTIES.partition("=")
    columns = [
        {"Name": column.name, "Type": column.type}
        for column in contract.lake_columns
        if column.name not in contract.partition_columns
    ]
    return {
        "Name": contract.name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in contract.partition_columns],
        "Parameters": {"EXTERNAL": "TRUE", name: value},
        "StorageDescriptor": {
            "Columns": [{"Name": "_hoodie_commit_time", "Type": "string"}, *columns],
            "Location": f"{lake}/{contract.lake_path}",
        },
    }
