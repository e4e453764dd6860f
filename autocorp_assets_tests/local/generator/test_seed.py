"""The seeded database looks like the business that it stands for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal

import psycopg
import pytest
from psycopg import sql

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.service import CATEGORIES
from autocorp_assets.local.generator.seed import seed_database, seed_rows

ROWS = {
    "auto_parts": 400,
    "customers": 1149,
    "service": 110,
    "service_parts": 1074,
    "sales_order": 1000,
    "sales_order_parts": 2135,
    "sales_order_services": 644,
}


@pytest.mark.parametrize(("table", "rows"), ROWS.items())
def test_row_counts(table, rows, seed_rows_of):
    assert seed_rows_of(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))) == [(rows,)]


def test_lines_sum_to_the_subtotal_and_tax_is_eight_percent(seed_rows_of):
    wrong = seed_rows_of(
        """
        SELECT order_id FROM sales_order o
        LEFT JOIN (SELECT order_id, sum(line_total) AS amount
                   FROM (SELECT order_id, line_total FROM sales_order_parts
                         UNION ALL SELECT order_id, line_total FROM sales_order_services) GROUP BY order_id) l
             USING (order_id)
        WHERE (subtotal, tax, total_amount)
              IS DISTINCT FROM (amount, round(subtotal * 0.08, 2), subtotal + tax)
        """
    )
    assert wrong == []


def test_lines_multiply_out(seed_rows_of):
    assert seed_rows_of("SELECT * FROM sales_order_parts WHERE line_total <> quantity * unit_price") == []
    assert (
        seed_rows_of("SELECT * FROM sales_order_services WHERE line_total <> quantity * labor_cost + parts_cost") == []
    )


def test_order_types_have_the_lines_that_they_name(seed_rows_of):
    found = seed_rows_of(
        "SELECT order_type, count(*), bool_and(part_lines > 0), bool_and(service_lines > 0),"
        " bool_or(part_lines > 0), bool_or(service_lines > 0) FROM v_sales_order_summary GROUP BY 1 ORDER BY 1"
    )
    assert found == [
        ("Mixed", 400, True, True, True, True),
        ("Parts", 450, True, False, True, False),
        ("Service", 150, False, True, False, True),
    ]


def test_some_orders_have_more_than_fifty_lines(seed_rows_of):
    ((big,),) = seed_rows_of("SELECT count(*) FROM v_sales_order_summary WHERE part_lines > 50")
    assert big == 3


def test_services_need_about_ten_parts_and_at_most_27(seed_rows_of):
    assert seed_rows_of(
        "SELECT round(avg(n), 1), max(n) FROM (SELECT count(*) AS n FROM service_parts GROUP BY serviceid)"
    ) == [(Decimal("9.8"), 27)]
    assert {name for (name,) in seed_rows_of("SELECT DISTINCT category FROM service")} == set(CATEGORIES)


def test_payment_methods_have_their_usual_shares(seed_rows_of):
    counts = dict(seed_rows_of("SELECT payment_method, count(*) FROM sales_order GROUP BY 1"))
    assert counts.pop(None) > 0
    shares = {"Credit": 500, "Cash": 200, "Debit": 200, "Bank Transfer": 100}
    assert counts == {method: pytest.approx(share, abs=50) for method, share in shares.items()}


def test_dates_and_invoices(seed_rows_of):
    ((first, last, wrong),) = seed_rows_of(
        "SELECT min(order_date), max(order_date),"
        " count(*) FILTER (WHERE invoice_number !~ ('^INV-' || to_char(order_date, 'YYYY') || '-[0-9]{6}$'))"
        " FROM sales_order"
    )
    assert datetime(2021, 6, 7) <= first < datetime(2021, 6, 21)
    assert datetime(2024, 12, 18) < last < datetime(2025, 1, 1)
    assert wrong == 0


@pytest.mark.parametrize(("table", "column"), [("auto_parts", "description"), ("sales_order", "notes")])
def test_long_texts_are_stored_out_of_line(table, column, seed_rows_of):
    query = sql.SQL(
        "SELECT max(octet_length({text})), max(pg_column_size({text})), count(*) FILTER (WHERE {text} = ''),"
        " count(*) FILTER (WHERE {text} IS NULL) FROM {table}"
    )
    ((longest, stored, empty, absent),) = seed_rows_of(
        query.format(text=sql.Identifier(column), table=sql.Identifier(table))
    )
    assert longest > 8192
    assert stored > 8192, "compression must not bring it back into the row"
    assert empty > 0
    assert absent > 0


def test_text_is_as_awkward_as_in_life(seed_rows_of):
    names = [name for (name,) in seed_rows_of("SELECT name FROM auto_parts")]
    people = "".join(first + last for first, last in seed_rows_of("SELECT first_name, last_name FROM customers"))
    for awkward in ('"', ",", "\n", "'", "🔧"):
        assert any(awkward in name for name in names), awkward
    assert any(ord(letter) > 0xFFFF for letter in people)
    assert any(0x7F < ord(letter) <= 0xFFFF for letter in people)


def test_money_goes_beyond_a_thousand(seed_rows_of):
    ((dear, text),) = seed_rows_of(
        "SELECT count(*), max(labor_cost)::text FROM service WHERE labor_cost > 1000::numeric::money"
    )
    assert dear > 0
    assert text.startswith("$1,")


def test_new_rows_get_numbers_after_the_seeded_ones(seeded):
    key = seeded.execute(
        "INSERT INTO sales_order (customer_id, order_date, invoice_number)"
        " VALUES (1, now(), 'INV-1') RETURNING order_id"
    ).fetchone()
    seeded.rollback()
    assert key == (1001,)


def test_same_seed_same_rows_other_seed_other_rows():
    assert {name: frame.write_csv() for name, frame in seed_rows(3).items()} == {
        name: frame.write_csv() for name, frame in seed_rows(3).items()
    }
    assert seed_rows(3)["sales_order"].write_csv() != seed_rows(4)["sales_order"].write_csv()


def test_of_two_seeders_one_does_the_work(database):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: seed_database(database), range(2)))
    assert sorted(results, key=len) == [{}, ROWS]


def test_a_failure_leaves_nothing_behind(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE VIEW v_service_with_parts AS SELECT 1")
        with pytest.raises(psycopg.errors.DuplicateTable):
            seed_database(database)
        assert connection.execute("SELECT to_regclass('auto_parts')").fetchone() == (None,)


def test_refuses_a_database_that_has_some_of_the_tables(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE service (x INT)")
    with pytest.raises(RuntimeError, match=r"has service but not auto_parts, .*: drop them"):
        seed_database(database)


def test_rows_are_listed_in_the_order_of_references():
    assert list(seed_rows(1)) == list(TABLES)
