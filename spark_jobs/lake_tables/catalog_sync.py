"""Hudi's options with which a table enters itself in Glue's catalog. Pure, without pyspark.

Names: https://hudi.apache.org/docs/configurations#META_SYNC, .../syncing_aws_glue_data_catalog, and the constants of
HoodieSyncConfig and HiveSyncConfigHolder in Hudi 1.0.2. The tool is in the Hudi that `--datalake-formats hudi` brings.
"""

from __future__ import annotations

from autocorp_assets.contracts.model import TableContract

CATALOG_DATABASE = "spark.autocorp.catalog.database"
"""Spark's configuration names the database to enter tables in; without it none is entered anywhere."""
SYNC_TOOL = "org.apache.hudi.aws.sync.AwsGlueCatalogSyncTool"
TABLE_PROPERTIES = "athena_enable_native_hudi_connector_implementation=true"
"""Athena then reads the table with its newer Hudi, 0.15 instead of 0.14
(https://docs.aws.amazon.com/athena/latest/ug/querying-hudi.html)."""


def catalog_sync(contract: TableContract, database: str | None) -> dict[str, str]:
    """Write options for a table of `database`; none when there is no catalog."""
    if not database:
        return {}
    partitions = {
        "hoodie.datasource.hive_sync.partition_fields": ",".join(contract.partition_columns),
        "hoodie.datasource.hive_sync.partition_extractor_class": "org.apache.hudi.hive.MultiPartKeysValueExtractor",
    }
    return {
        # Not hoodie.datasource.hive_sync.enable: that would add the tool for a Hive metastore.
        "hoodie.datasource.meta.sync.enable": "true",
        "hoodie.meta.sync.client.tool.class": SYNC_TOOL,
        # Else each commit makes a new version of the catalog's table, whose number is limited.
        "hoodie.datasource.meta_sync.condition.sync": "true",
        "hoodie.datasource.hive_sync.database": database,
        "hoodie.datasource.hive_sync.table": contract.name,
        "hoodie.datasource.hive_sync.table_properties": TABLE_PROPERTIES,
        # By default a time is catalogued as bigint.
        "hoodie.datasource.hive_sync.support_timestamp": "true",
        **(partitions if contract.partition_columns else {}),
    }
