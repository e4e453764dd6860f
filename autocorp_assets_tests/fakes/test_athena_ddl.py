"""The statements of the fake Athena that change the catalog behave as AWS documents it."""

import pytest

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.account import build_account
from autocorp_assets_tests.fakes.catalog_entries import write_delta
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws


@pytest.fixture
def settings(aws: FakeAws, aws_settings: Settings) -> Settings:
    build_account(aws_settings)
    return aws_settings


def run(statement: str) -> tuple[str, str]:
    """State and reason of its end."""
    athena = client("athena")
    query = athena.start_query_execution(QueryString=statement, WorkGroup="autocorp")["QueryExecutionId"]
    while (status := athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"])["State"] in (
        "QUEUED",
        "RUNNING",
    ):
        pass
    return status["State"], status.get("StateChangeReason", "")


def create(lake: object) -> str:
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `autocorp_lake`.`service` LOCATION '{lake}/curated/delta/service/' "
        "TBLPROPERTIES ('table_type'='DELTA')"
    )


VIEW = "CREATE OR REPLACE VIEW autocorp.one AS SELECT {} FROM autocorp_lake.service"


def test_a_delta_table_takes_its_columns_from_the_log_and_needs_one(settings: Settings):
    assert run(create(settings.lake))[0] == "FAILED"
    columns = write_delta(str(settings.lake), "service")

    assert run(create(settings.lake))[0] == "SUCCEEDED"

    table = client("glue").get_table(DatabaseName="autocorp_lake", Name="service")["Table"]
    assert {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]} == columns


def test_a_view_needs_its_tables_its_columns_and_its_database(settings: Settings):
    write_delta(str(settings.lake), "service")
    assert "TABLE_NOT_FOUND" in run(VIEW.format("serviceid"))[1]
    run(create(settings.lake))

    assert run(VIEW.format("nothing"))[0] == "FAILED"
    assert "SCHEMA_NOT_FOUND" in run(VIEW.format("serviceid").replace("autocorp.one", "elsewhere.one"))[1]
    assert run(VIEW.format("serviceid"))[0] == "SUCCEEDED"


def test_replacing_a_view_replaces_its_parameters(settings: Settings):
    write_delta(str(settings.lake), "service")
    run(create(settings.lake))
    run(VIEW.format("serviceid"))
    glue = client("glue")
    one = {"Name": "one", "TableType": "VIRTUAL_VIEW", "Parameters": {"mine": "1"}}
    glue.update_table(DatabaseName="autocorp", TableInput=one)

    run(VIEW.format("serviceid, category"))

    table = glue.get_table(DatabaseName="autocorp", Name="one")["Table"]
    assert table["Parameters"] == {"presto_view": "true", "comment": "Presto View"}
