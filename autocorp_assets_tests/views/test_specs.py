"""What Dagster knows of the views without parsing SQL agrees with what parsing says."""

import dagster as dg
import pytest

from autocorp_assets.asset_keys import curated_key, view_key
from autocorp_assets.contracts import TABLES
from autocorp_assets.query.view_files import ViewFile, view_files
from autocorp_assets.query.views import load_views, view_query
from autocorp_assets.views.columns import columns_of
from autocorp_assets.views.specs import view_spec
from autocorp_assets_tests.views.conftest import DEAR, PRICES, Views

FILES = {file.name: file for file in view_files()}


def spec(file: ViewFile, *files: ViewFile) -> dg.AssetSpec:
    return view_spec(file, files, condition=dg.AutomationCondition.eager())


@pytest.mark.parametrize("name", FILES)
def test_every_view_says_what_it_is_and_can_be_parsed(name: str):
    assert FILES[name].description.endswith(".")
    assert view_query(FILES[name])
    assert all(view.error is None for view in load_views())


@pytest.mark.parametrize("name", FILES)
def test_every_column_is_known_and_of_the_tables_that_the_view_reads(name: str):
    columns = columns_of(name)

    assert [column.name for column in columns] == view_query(FILES[name]).named_selects
    tables = {table for _, table in FILES[name].reads}
    assert {origin.table for column in columns for origin in column.origins} <= tables
    for column in columns:
        assert column.origins or "COUNT" in column.expression.upper(), column.name
        assert all(origin.contracted for origin in column.origins), column.name


def test_a_view_of_people_marks_its_personal_columns():
    personal = {column.name for column in columns_of("v_sales_order_summary") if column.is_personal}

    assert personal == {"customer_name", "customer_email"}


@pytest.mark.parametrize("name", FILES)
def test_a_view_is_found_among_what_holds_personal_data_if_a_column_of_it_does(name: str):
    is_tagged = "personal-data" in spec(FILES[name], *FILES.values()).tags

    assert is_tagged == any(column.is_personal for column in columns_of(name))


def test_a_view_of_a_view_of_people_is_found_as_well(views: Views):
    views.write(
        v_names="-- Names.\nCREATE OR REPLACE VIEW autocorp.v_names AS\n"
        "SELECT first_name || last_name AS name FROM autocorp_lake.customers",
        v_short="-- Short ones.\nCREATE OR REPLACE VIEW autocorp.v_short AS\n"
        "SELECT name FROM autocorp.v_names WHERE length(name) < 8",
    )
    files = view_files(views.folder)

    assert all("personal-data" in spec(file, *files).tags for file in files)


def test_a_view_depends_on_the_tables_and_views_that_its_sql_names(views: Views):
    views.write(v_prices=PRICES, v_dear=DEAR)
    files = view_files(views.folder)
    by_name = {file.name: spec(file, *files) for file in files}

    assert [dep.asset_key for dep in by_name["v_prices"].deps] == [curated_key("auto_parts")]
    assert [dep.asset_key for dep in by_name["v_dear"].deps] == [view_key("v_prices")]
    assert by_name["v_dear"].owners == [TABLES["auto_parts"].owner]


def test_names_in_comments_and_texts_are_no_tables(views: Views):
    views.write(
        v_words="-- Not autocorp_lake.service.\nCREATE OR REPLACE VIEW autocorp.v_words AS\n"
        "SELECT 'autocorp_lake.customers' AS text /* nor autocorp.customer */ FROM autocorp_lake.auto_parts"
    )
    [file] = view_files(views.folder)

    assert file.reads == {("autocorp_lake", "auto_parts")}
    assert view_query(file)


def test_another_sql_is_another_code_version(views: Views):
    views.write(v_prices=PRICES)
    [file] = view_files(views.folder)
    other = ViewFile(name=file.name, path=file.path, text=PRICES.replace("2", "3"))

    assert spec(file, file).code_version != spec(other, other).code_version


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1", "must be one statement: CREATE OR REPLACE VIEW autocorp.v_prices AS"),
        (PRICES.replace("v_prices", "v_costs"), "must be one statement"),
        (PRICES.replace("autocorp_lake.auto_parts", "auto_parts"), "must name the schema of auto_parts"),
        (PRICES.replace("auto_parts", "parts"), "there is no table or view parts"),
        (PRICES.replace("SELECT", "SELECT ("), "v_prices.sql"),
    ],
)
def test_a_view_that_cannot_be_made_says_why(views: Views, sql: str, reason: str):
    views.write(v_prices=sql)

    [view] = load_views(views.folder)

    assert reason in (view.error or "")
