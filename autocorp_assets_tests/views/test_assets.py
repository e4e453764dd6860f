from typing import Any

import dagster as dg

from autocorp_assets.resources.ports.catalog import CatalogError
from autocorp_assets.resources.ports.views import ViewsOutcome
from autocorp_assets_tests.views.conftest import DEAR, PRICES, Views

BROKEN = """-- Names a column that is not.
CREATE OR REPLACE VIEW autocorp.v_broken AS SELECT nosuch FROM autocorp_lake.service
"""
TORN = "-- Cut off.\nCREATE OR REPLACE VIEW autocorp.v_torn AS SELECT ("


def told(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.path[-1]: {
            name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = [event for event in result.all_events if event.is_step_failure]
    told = event.step_failure_data.user_failure_data
    return (told.description if told else None) or ""


def test_a_view_reports_its_rows_its_columns_and_how_long_it_took(views: Views):
    views.write(v_prices=PRICES)
    views.have_parts("PAD", "OIL")

    result = views.ask()

    assert result.success
    metadata = told(result)["v_prices"]
    assert metadata["dagster/row_count"] == 2
    assert metadata["columns"] == 3
    assert 0 < metadata["seconds"] < 60


def test_its_columns_have_types_and_what_the_contract_says_of_those_that_are_passed_on(views: Views):
    views.write(v_prices=PRICES)

    schema = told(views.ask())["v_prices"]["dagster/column_schema"]

    assert [(column.name, column.type) for column in schema.columns] == [
        ("sku", "string"),
        ("part_name", "string"),
        ("twice", "decimal(18,2)"),
    ]
    assert [column.description for column in schema.columns][1:] == ["Name of the part.", "Made by price * 2"]


def test_its_columns_lead_back_to_curated_ones_and_to_other_views(views: Views):
    views.write(v_prices=PRICES, v_dear=DEAR)

    lineage = {name: metadata["dagster/column_lineage"] for name, metadata in told(views.ask()).items()}

    assert lineage["v_prices"].deps_by_column["twice"] == [dg.TableColumnDep(["curated", "auto_parts"], "price")]
    assert lineage["v_dear"].deps_by_column["twice"] == [dg.TableColumnDep(["views", "v_prices"], "twice")]


def test_its_columns_say_what_they_are_made_of_down_to_the_source(views: Views):
    views.write(v_prices=PRICES, v_dear=DEAR)

    table = told(views.ask())["v_dear"]["columns_are_made_of"]

    assert [record.data for record in table.records] == [
        {"column": "sku", "made of": "v_prices.sku", "in the source": "autocorp.public.auto_parts.sku"},
        {"column": "twice", "made of": "v_prices.twice", "in the source": "autocorp.public.auto_parts.price"},
    ]


def test_tables_that_do_not_exist_yet_are_named_and_count_as_empty(views: Views):
    views.write(v_prices=PRICES)

    metadata = told(views.ask())["v_prices"]

    assert metadata["dagster/row_count"] == 0
    assert metadata["tables_that_do_not_exist_yet"] == ["auto_parts"]


def test_a_broken_view_fails_alone_with_the_analysts_error(views: Views):
    views.write(v_prices=PRICES, v_broken=BROKEN, v_torn=TORN)

    result = views.ask()

    assert not result.success
    assert set(told(result)) == {"v_prices"}
    assert "2 of 3 views do not answer; the others do." in failure(result)
    assert "v_broken: view v_broken (queries/views/v_broken.sql) is broken: Referenced column" in failure(result)
    assert "v_torn.sql" in failure(result)
    assert "Correct the file" in failure(result)


def test_what_reads_a_broken_view_fails_with_the_cause(views: Views):
    views.write(v_prices=PRICES.replace("price * 2", "nosuch * 2"), v_dear=DEAR)

    result = views.ask()

    assert told(result) == {}
    assert failure(result).count("nosuch") == 2


class Brought:
    """What the deployment says of its views."""

    def __init__(self, outcome: ViewsOutcome | None) -> None:
        self.outcome = outcome
        self.names: list[str] = []

    def bring(self, names) -> ViewsOutcome:
        self.names += names
        if self.outcome is None:
            raise CatalogError("Glue does not answer")
        return self.outcome


def test_the_selected_views_are_brought_up_to_date_before_they_are_asked(views: Views):
    views.write(v_prices=PRICES, v_dear=DEAR)
    brought = Brought(ViewsOutcome(made=("v_prices",)))

    assert views.ask(brought).success

    assert brought.names == ["v_prices", "v_dear"]


def test_a_view_that_waits_for_a_table_is_left_out_and_is_no_failure(views: Views):
    views.write(v_prices=PRICES, v_dear=DEAR)

    result = views.ask(Brought(ViewsOutcome(waiting={"v_dear": "auto_parts, which the first curation brings"})))

    assert result.success
    assert set(told(result)) == {"v_prices"}


def test_a_view_that_could_not_be_made_fails_alone(views: Views):
    views.write(v_prices=PRICES, v_dear=DEAR)

    result = views.ask(Brought(ViewsOutcome(failed={"v_dear": "view autocorp.v_dear: Insufficient permissions"})))

    assert set(told(result)) == {"v_prices"}
    assert "v_dear: view autocorp.v_dear: Insufficient permissions" in failure(result)


def test_views_that_nobody_can_compare_are_asked_all_the_same(views: Views):
    views.write(v_prices=PRICES)

    assert views.ask(Brought(None)).success
