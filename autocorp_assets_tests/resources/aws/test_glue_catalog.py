"""Tables are entered in Glue once, follow their columns, and what is wrong with an entry is told with its remedy."""

from __future__ import annotations

import pytest

from autocorp_assets.checks.catalog import compare
from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.aws.athena_ddl import AthenaDdl
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.deployed_views import DeployedViews
from autocorp_assets.resources.aws.glue_catalog import GlueCatalog, create_statement
from autocorp_assets.resources.ports.catalog import CatalogError
from autocorp_assets.settings import Settings
from autocorp_assets.table_metadata import DATABASE_NAME
from autocorp_assets_tests.fakes.account import build_account
from autocorp_assets_tests.fakes.athena import QueryFailure, athena_queries
from autocorp_assets_tests.fakes.catalog_entries import enter_hudi, stored, write_delta
from autocorp_assets_tests.fakes.faults import THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws


@pytest.fixture
def lake(aws_settings: Settings) -> str:
    build_account(aws_settings)
    return str(aws_settings.lake)


@pytest.fixture
def catalog(lake: str) -> GlueCatalog:
    return GlueCatalog(lake=lake, ddl=AthenaDdl(workgroup="autocorp", poll_seconds=0.01))


def entry(table: str) -> dict:
    return client("glue").get_table(DatabaseName=DATABASE_NAME, Name=table)["Table"]


def findings(catalog: GlueCatalog, table: str, columns: dict[str, str]) -> tuple[str, ...]:
    """Of the table; its view is a matter of its own."""
    errors = compare(TABLES[table], stored=columns, catalogue=catalog.describe([table]).get(table)).errors
    return tuple(error for error in errors if not error.startswith("view "))


def test_a_delta_table_is_entered_natively_and_agrees_with_contract_and_table(catalog: GlueCatalog, lake: str):
    columns = write_delta(lake, "auto_parts")

    done = catalog.register({"auto_parts": columns})

    assert done == ["table autocorp_lake.auto_parts is entered in Glue's catalog"]
    assert entry("auto_parts")["Parameters"]["table_type"].upper() == "DELTA"
    assert entry("auto_parts")["StorageDescriptor"]["Location"].rstrip("/") == f"{lake}/curated/delta/auto_parts"
    assert findings(catalog, "auto_parts", columns) == ()


def test_what_is_entered_costs_one_request_for_all_tables(aws: FakeAws, catalog: GlueCatalog, lake: str):
    tables = {name: write_delta(lake, name) for name in ("auto_parts", "service")}
    enter_hudi(lake, "customers")
    tables["customers"] = stored("customers")
    catalog.register(tables)
    aws.faults.requests.clear()

    assert catalog.register(tables) == []

    assert aws.faults.requests == {"glue:GetTables": 1}


def test_without_tables_nobody_is_asked(aws: FakeAws, catalog: GlueCatalog):
    aws.faults.requests.clear()

    assert not catalog.register({})

    assert not aws.faults.requests


def test_a_column_that_the_source_added_is_added_and_the_rest_of_the_entry_stays(catalog: GlueCatalog, lake: str):
    columns = write_delta(lake, "service")
    catalog.register({"service": columns})
    before = entry("service")
    grown = {**columns, "Warranty": "timestamp_ntz"}
    assert "column Warranty is missing in the query catalogue" in findings(catalog, "service", grown)[0]

    done = catalog.register({"service": grown})

    assert done == ["table autocorp_lake.service gets its columns warranty in Glue's catalog"]
    assert findings(catalog, "service", grown) == ()
    after = entry("service")
    assert after["Parameters"] == before["Parameters"]
    assert after["StorageDescriptor"]["Columns"][-1] == {"Name": "warranty", "Type": "timestamp"}
    assert after["StorageDescriptor"]["SerdeInfo"] == before["StorageDescriptor"]["SerdeInfo"]


def test_a_hudi_table_enters_itself_and_is_only_looked_at(catalog: GlueCatalog, lake: str):
    enter_hudi(lake, "customers")

    assert catalog.register({"customers": stored("customers")}) == []

    assert findings(catalog, "customers", stored("customers")) == ()


def test_one_that_has_not_entered_itself_is_told_and_others_are_entered_all_the_same(catalog: GlueCatalog, lake: str):
    columns = write_delta(lake, "service")

    with pytest.raises(CatalogError, match=r"customers has not entered itself .*AwsGlueCatalogSyncTool"):
        catalog.register({"customers": stored("customers"), "service": columns})

    assert findings(catalog, "service", columns) == ()
    assert "not in the query catalogue" in findings(catalog, "customers", stored("customers"))[0]


def test_an_entry_at_another_place_or_for_another_reader_is_no_entry_of_ours_to_change(catalog: GlueCatalog, lake: str):
    columns = write_delta(lake, "service")
    enter_hudi("s3://elsewhere/lake", "service")

    with pytest.raises(CatalogError, match=r"DROP TABLE autocorp_lake\.service"):
        catalog.register({"service": {**columns, "more": "int"}})

    place, reader = findings(catalog, "service", columns)[:2]
    assert place.startswith("autocorp_lake.service is catalogued at s3://elsewhere/lake/curated/delta/service, and")
    assert reader.startswith("autocorp_lake.service has table_type=nothing in the catalogue, not DELTA")


def test_a_hudi_entry_without_athenas_property_is_told(catalog: GlueCatalog, lake: str):
    enter_hudi(lake, "customers", Parameters={"EXTERNAL": "TRUE"})

    (told,) = findings(catalog, "customers", stored("customers"))

    assert "athena_enable_native_hudi_connector_implementation=nothing in the catalogue, not true" in told


def test_the_view_through_which_analysts_see_a_table_is_looked_at_too(catalog: GlueCatalog, lake: str):
    columns = write_delta(lake, "service")
    catalog.register({"service": columns})
    told = catalog.describe(["service"])["service"].complaints
    assert told == (
        "view autocorp.service, through which analysts see the table, is missing or not of this release and "
        "the table's columns: run `autocorp deploy`",
    )

    DeployedViews(ddl=catalog.ddl).bring(["service"])

    assert catalog.describe(["service"])["service"].complaints == ()


def test_throttling_and_5xx_of_both_services_pass_unnoticed(aws: FakeAws, catalog: GlueCatalog, lake: str):
    columns = write_delta(lake, "service")
    for name in ("glue", "athena"):
        aws.faults.add(name, THROTTLED, UNAVAILABLE)

    assert len(catalog.register({"service": columns})) == 1


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (QueryFailure(reason="no permission to glue:CreateTable", category=2), "no permission to glue:CreateTable"),
        (QueryFailure(reason="internal error", is_retryable=True), "Athena failed, not the query: internal error"),
        (QueryFailure(reason="somebody did", state="CANCELLED"), "cancelled: somebody did"),
    ],
)
def test_a_statement_that_fails_says_of_which_table_and_why(
    catalog: GlueCatalog, lake: str, failure: QueryFailure, told: str
):
    athena_queries.failures.append(failure)

    with pytest.raises(CatalogError) as error:
        catalog.register({"service": write_delta(lake, "service")})

    assert "table autocorp_lake.service is entered in Glue's catalog" in str(error.value)
    assert told in str(error.value)


def test_a_statement_that_does_not_end_is_given_up(lake: str):
    athena_queries.holds = True
    catalog = GlueCatalog(lake=lake, ddl=AthenaDdl(workgroup="autocorp", poll_seconds=0.01, deadline_seconds=0.05))

    with pytest.raises(CatalogError, match="has not ended after 0 s; look at the queue of workgroup autocorp"):
        catalog.register({"service": write_delta(lake, "service")})


def test_without_the_database_it_says_what_makes_it(aws: FakeAws):
    catalog = GlueCatalog(lake="s3://x/lake", ddl=AthenaDdl(workgroup="autocorp"))

    with pytest.raises(CatalogError, match="no database autocorp_lake: run `autocorp deploy`"):
        catalog.describe(["service"])


def test_a_place_with_a_quote_in_it_is_quoted():
    statement = create_statement(TABLES["service"], "s3://bucket/o'neil\\x/lake")

    assert "LOCATION 's3://bucket/o\\'neil\\\\x/lake/'" in statement
