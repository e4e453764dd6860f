"""Hudi tables in moto's Glue catalog, in the shape in which AwsGlueCatalogSyncTool leaves them.

Written down from the tool's source (Hudi 1.0.2, AWSGlueCatalogSyncClient.createTable). It stands in for the tool, whose
jar cannot be had here, and proves nothing of it. Partitions are left out: no reader in the tests asks for them.
"""

from __future__ import annotations

from moto.glue.models import GlueBackend
from moto.s3.models import s3_backends

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import LakeFormat, TableContract
from autocorp_assets.lake.snapshots import read_snapshot
from autocorp_assets.lake.versions import Snapshot
from spark_jobs.lake_tables.catalog_sync import TABLE_PROPERTIES

META_COLUMNS = (
    "_hoodie_commit_time",
    "_hoodie_commit_seqno",
    "_hoodie_record_key",
    "_hoodie_partition_path",
    "_hoodie_file_name",
)


def register_hudi_tables(backend: GlueBackend, lake: str, database: str) -> None:
    """Every Hudi table below `lake`, with the columns that it has now."""
    if database not in backend.databases:
        backend.create_database(database, {"Name": database})
    for contract in TABLES.values():
        if contract.format is not LakeFormat.HUDI or not _exists(f"{lake}/{contract.lake_path}"):
            continue
        if (snapshot := read_snapshot(lake, contract)) is None:
            continue
        table = _table_input(contract, snapshot, f"{lake}/{contract.lake_path}")
        if contract.name in backend.databases[database].tables:
            backend.update_table(database, contract.name, table)
        else:
            backend.create_table(database, contract.name, table)


def _exists(location: str) -> bool:
    """Not over HTTP: tests count requests."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    backend = next(iter(s3_backends.values()))["aws"]
    return backend.get_object(bucket, f"{key}/.hoodie/hoodie.properties") is not None


def _table_input(contract: TableContract, snapshot: Snapshot, location: str) -> dict[str, object]:
    types = {**dict.fromkeys(META_COLUMNS, "string"), **snapshot.columns}
    partitions = contract.partition_columns
    columns = [{"Name": name, "Type": of} for name, of in types.items() if name not in partitions]
    property_name, _, value = TABLE_PROPERTIES.partition("=")
    return {
        "Name": contract.name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in partitions],
        "Parameters": {
            "EXTERNAL": "TRUE",
            "last_commit_time_sync": snapshot.commit,
            "spark.sql.sources.provider": "hudi",
            property_name: value,
        },
        "StorageDescriptor": {
            "Columns": columns,
            "Location": location,
            "InputFormat": "org.apache.hudi.hadoop.HoodieParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "Parameters": {"hoodie.query.as.ro.table": "false", "path": location},
            },
        },
    }
