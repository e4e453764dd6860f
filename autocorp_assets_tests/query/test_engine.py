"""Tables, views and saved questions over a lake that Spark wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.query.engine import LakeQuery, QueryResult
from autocorp_assets.query.views import VIEWS_FOLDER, load_views
from autocorp_assets_tests.query.conftest import SmallLake

pytestmark = pytest.mark.spark
QUESTIONS = sorted((VIEWS_FOLDER.parent / "questions").glob("*.sql"))


@pytest.fixture(scope="module")
def lake(small_lake: SmallLake) -> LakeQuery:
    return LakeQuery(small_lake.root)


def rows(result: QueryResult) -> list[tuple]:
    return list(result.rows())


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_its_contracts_columns_and_types(lake: LakeQuery, table: str):
    result = lake.run(f"SELECT * FROM {table}")  # noqa: S608
    named = {"string": "VARCHAR", "int": "INTEGER"}
    contract = TABLES[table]
    assert result.columns == tuple(column.name for column in contract.columns)
    assert result.types == tuple(named.get(column.type, column.type.upper()) for column in contract.columns)
    assert result.absent == ()
    assert result.table.num_rows > 0


def test_the_lake_schema_adds_where_rows_come_from(lake: LakeQuery):
    sql = """
        SELECT record_key, source_system, _hoodie_record_key, raw_file, typeof(changed_at)
        FROM autocorp_lake.customers WHERE customer_id = 1"""
    assert rows(lake.run(sql)) == [("db:1", "db", "db:1", "raw/database/customers/LOAD00000001.parquet", "TIMESTAMP")]
    stored = lake.run("SELECT * FROM autocorp_lake.service").columns
    assert stored == tuple(column.name for column in TABLES["service"].lake_columns)


def test_every_table_can_be_read_as_it_was(lake: LakeQuery, small_lake: SmallLake):
    price = "SELECT price FROM auto_parts WHERE sku = 'PAD'"
    cities = "SELECT city FROM customers WHERE customer_id IS NOT NULL ORDER BY customer_id"
    assert (rows(lake.run(price)), rows(lake.run(cities))) == ([(Decimal("45.00"),)], [("Austin",)])
    then = small_lake.before_changes
    assert rows(lake.run(price, as_of=then)) == [(Decimal("40.00"),)]
    assert rows(lake.run(cities, as_of=then)) == [(None,), (None,)]


def test_a_table_that_did_not_exist_then_is_empty_and_named(lake: LakeQuery):
    result = lake.run("SELECT * FROM v_service_with_parts", as_of=datetime(2020, 1, 1, tzinfo=UTC))
    assert rows(result) == []
    assert result.absent == ("auto_parts", "service", "service_parts")


def test_a_connection_keeps_its_version(lake: LakeQuery, small_lake: SmallLake):
    with lake.connect(small_lake.before_changes) as connection:
        assert connection.execute("SELECT count(*) FROM customer").fetchall() == [(3,)]
        assert connection.execute("SELECT count(*) FROM autocorp_lake.customers").fetchall() == [(5,)]


def test_customer_has_one_row_a_person_and_the_databases_wins(lake: LakeQuery, small_lake: SmallLake):
    sql = "SELECT record_key, source_system, first_name FROM customer ORDER BY record_key"
    then = rows(lake.run(sql, as_of=small_lake.before_changes))
    assert then == [("csv:eve", "csv", "Eve"), ("db:1", "db", "Ada"), ("db:2", "db", "Bob")]
    # Deleted from the database, Bob is still known from the export.
    assert rows(lake.run(sql)) == [("csv:bob", "csv", "B."), ("csv:eve", "csv", "Eve"), ("db:1", "db", "Ada")]


def test_customer_has_all_columns_of_customers(lake: LakeQuery):
    columns = tuple(column.name for column in TABLES["customers"].columns)
    assert lake.run("SELECT * FROM customer").columns == (*columns, "record_key", "source_system")


def test_an_order_is_summed_up_within_its_system(lake: LakeQuery):
    sql = """
        SELECT source_system, order_id, customer_name, part_lines, service_lines, parts_total, services_total
        FROM v_sales_order_summary ORDER BY source_system, order_id"""
    assert rows(lake.run(sql)) == [
        ("csv", 1, None, 1, 0, Decimal("70.00"), Decimal("0.00")),
        ("csv", 2, None, 0, 0, Decimal("0.00"), Decimal("0.00")),
        ("db", 1, "Ada Byron", 2, 1, Decimal("93.50"), Decimal("90.00")),
    ]


def test_a_service_has_its_parts_and_their_price(lake: LakeQuery):
    sql = "SELECT serviceid, sku, part_name, quantity, parts_cost FROM v_service_with_parts ORDER BY 1, 2"
    assert rows(lake.run(sql)) == [
        ("BR", "GONE", None, 1, None),
        ("BR", "PAD", "Brake pad", 2, Decimal("90.00")),
        ("CK", None, None, None, None),
    ]


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_a_saved_question_says_what_it_answers_and_answers_it(lake: LakeQuery, path: Path):
    text = path.read_text()
    assert text.startswith("-- ")
    assert lake.run(text).table.num_rows > 0


def test_revenue_by_order_type_counts_both_systems(lake: LakeQuery):
    result = lake.run((VIEWS_FOLDER.parent / "questions" / "revenue_by_order_type.sql").read_text())
    assert rows(result) == [("Mixed", 3, Decimal("594.54"), 198.18), ("all", 3, Decimal("594.54"), 198.18)]


def test_recent_orders_leave_with_the_week(lake: LakeQuery):
    sql = "SELECT count(*) FROM sales_order WHERE order_date >= date_add('day', -{}, current_timestamp)"
    assert (rows(lake.run(sql.format(7))), rows(lake.run(sql.format(1)))) == ([(3,)], [(0,)])


def test_views_with_the_sources_names_have_its_columns(lake: LakeQuery):
    """Reports written for the source run on the lake."""
    schema = Path(__file__).parents[2] / "autocorp_assets" / "local" / "source" / "schema.sql"
    import sqlglot
    from sqlglot import exp

    created = [tree for tree in sqlglot.parse(schema.read_text(), read="postgres") if isinstance(tree, exp.Create)]
    views = {tree.this.name: tree.expression.named_selects for tree in created if tree.kind == "VIEW"}
    assert set(views) == {view.name for view in load_views()} - {"customer"}
    for name, columns in views.items():
        assert lake.run(f"SELECT * FROM {name}").columns[: len(columns)] == tuple(columns)  # noqa: S608


def test_a_second_is_enough_for_a_small_question(lake: LakeQuery):
    assert lake.run("SELECT count(*) FROM v_sales_order_summary").seconds < timedelta(seconds=5).total_seconds()
