"""Views follow the release and the columns of their tables, wait for what is not there yet, and fail one by one."""

from __future__ import annotations

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.query.athena_views import AthenaView, athena_views
from autocorp_assets.resources.aws.athena_ddl import AthenaDdl
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.deployed_views import DIGEST, DeployedViews, needed, outdated_views
from autocorp_assets.resources.aws.glue_catalog import GlueCatalog
from autocorp_assets.resources.ports.catalog import CatalogError
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.account import build_account
from autocorp_assets_tests.fakes.athena import QueryFailure, athena_queries
from autocorp_assets_tests.fakes.catalog_entries import stored, write_delta
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws
VIEW = "v_service_with_parts"
BELOW = ["service", "service_parts", "auto_parts"]
"""Its tables; all of them are Delta."""


@pytest.fixture
def ddl() -> AthenaDdl:
    return AthenaDdl(workgroup="autocorp", poll_seconds=0.01)


@pytest.fixture
def views(aws_settings: Settings, ddl: AthenaDdl) -> DeployedViews:
    build_account(aws_settings)
    return DeployedViews(ddl=ddl)


def enter(settings: Settings, ddl: AthenaDdl, *tables: str) -> None:
    lake = str(settings.lake)
    GlueCatalog(lake=lake, ddl=ddl).register({name: write_delta(lake, name) for name in tables})


def known() -> dict[str, str]:
    """Digest by view."""
    found = client("glue").get_tables(DatabaseName="autocorp")["TableList"]
    return {table["Name"]: table["Parameters"][DIGEST] for table in found}


def test_a_view_its_tables_own_and_no_others_are_made_once(aws: FakeAws, aws_settings: Settings, ddl, views):
    enter(aws_settings, ddl, *BELOW)

    outcome = views.bring([VIEW])

    assert set(outcome.made) == {VIEW, *BELOW} == set(known())
    assert (outcome.waiting, outcome.failed) == ({}, {})
    aws.faults.requests.clear()
    assert views.bring([VIEW]).made == ()
    assert aws.faults.requests == {"glue:GetTables": 2}


def test_a_view_waits_for_a_table_that_does_not_exist_yet(aws_settings: Settings, ddl, views):
    enter(aws_settings, ddl, "service", "service_parts")

    outcome = views.bring([VIEW])

    assert set(outcome.made) == {"service", "service_parts"}
    assert outcome.waiting[VIEW] == "auto_parts, which the first curation brings"


def test_one_that_athena_refuses_does_not_hold_the_others(aws_settings: Settings, ddl, views):
    enter(aws_settings, ddl, *BELOW)
    athena_queries.failures.append(QueryFailure(reason="Insufficient permissions", category=2))

    outcome = views.bring([VIEW])

    ((name, why),) = outcome.failed.items()
    assert why == f"view autocorp.{name}: Insufficient permissions"
    assert {*outcome.made, name} == {VIEW, *BELOW}
    assert views.bring([VIEW]).made == (name,)


def test_without_databases_it_says_what_makes_them(aws: FakeAws, ddl):
    with pytest.raises(CatalogError, match="run `autocorp deploy`"):
        DeployedViews(ddl=ddl).bring([VIEW])


def test_a_view_is_made_anew_when_its_table_gets_other_types_than_the_catalog_had():
    """The contract was ahead of the table when it was made, or behind it: Athena would call it stale."""
    service = [view for view in athena_views() if view.name == "service"]
    before, after = {"service": stored("service")}, {"service": {**stored("service"), "labor_minutes": "bigint"}}
    (made,) = outdated_views(service, digests={}, tables=before)

    digests = {"service": made.digest}

    assert [*outdated_views(service, digests=digests, tables=before)] == []
    (again,) = outdated_views(service, digests=digests, tables=after)
    assert (again.is_there, again.lacking) == (True, "")


def test_a_view_waits_for_a_column_that_its_table_has_not_got_yet():
    service = [view for view in athena_views() if view.name == "service"]
    columns = {name: of for name, of in stored("service").items() if name != "category"}

    (one,) = outdated_views(service, digests={}, tables={"service": columns})

    assert one.lacking == "service.category, which the next commit brings"


def test_what_a_view_needs_are_those_it_reads_and_its_tables_own():
    def view(name: str, *, reads: frozenset[str] = frozenset(), tables: frozenset[str] = frozenset()) -> AthenaView:
        return AthenaView(name=name, statement="", description="", tables=tables, reads=reads, digest=name)

    tables = frozenset({"service"})
    lower, upper = view("b", tables=tables), view("a", reads=frozenset({"b"}), tables=tables)
    all_views = [view("service", tables=tables), view("customers"), lower, upper]

    assert [one.name for one in needed(["a"], all_views)] == ["service", "b", "a"]
    assert {one.name for one in needed(["v_sales_order_summary"], athena_views())} <= {*TABLES, "v_sales_order_summary"}


def test_a_view_whose_file_is_wrong_is_never_made_and_always_told(aws: FakeAws, views: DeployedViews):
    wrong = AthenaView(name="one", statement="", description="", tables=frozenset(), error="one.sql: torn", digest="1")
    (one,) = outdated_views([wrong], digests={"one": "whatever"}, tables={})
    aws.faults.requests.clear()

    with pytest.raises(CatalogError, match=r"view autocorp\.one: one\.sql: torn"):
        views.make(one)

    assert not aws.faults.requests
