import zipfile

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.spark_runtime import jar_folder, prepare
from autocorp_assets.settings import Settings
from spark_jobs.lake_tables.catalog_sync import SYNC_TOOL, catalog_sync

CONSTANTS = (
    "org/apache/hudi/sync/common/HoodieSyncConfig.class",
    "org/apache/hudi/hive/HiveSyncConfigHolder.class",
    "org/apache/hudi/DataSourceWriteOptions$.class",
)


def test_without_a_catalog_there_is_nothing_to_say():
    assert catalog_sync(TABLES["customers"], None) == {}


def test_a_table_enters_itself_in_the_database_with_its_partitions_and_athenas_property():
    options = catalog_sync(TABLES["sales_order"], "autocorp_lake")

    assert options["hoodie.meta.sync.client.tool.class"] == SYNC_TOOL
    assert options["hoodie.datasource.hive_sync.database"] == "autocorp_lake"
    assert options["hoodie.datasource.hive_sync.table"] == "sales_order"
    assert options["hoodie.datasource.hive_sync.partition_fields"] == ",".join(TABLES["sales_order"].partition_columns)
    assert "athena_enable_native_hudi_connector_implementation=true" in options.values()


def test_a_table_without_partitions_names_none():
    assert not any("partition" in name for name in catalog_sync(TABLES["auto_parts"], "autocorp_lake"))


@pytest.mark.parametrize("name", sorted(catalog_sync(TABLES["sales_order"], "autocorp_lake")))
def test_every_option_is_one_of_hudi_1_0_2(name: str):
    """An option that Hudi does not know is no error there: the table would only stay out of the catalog."""
    settings = Settings()
    prepare(settings)
    with zipfile.ZipFile(next(jar_folder(settings).glob("hudi-spark*.jar"))) as jar:
        assert any(name.encode() in jar.read(constants) for constants in CONSTANTS)
