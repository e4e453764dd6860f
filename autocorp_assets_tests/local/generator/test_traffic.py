"""Simulated traffic does what it reports, and keeps the business consistent."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.generator.seed import create_schema, seed_database
from autocorp_assets.local.generator.traffic import simulate

INCONSISTENT = """
    SELECT order_id FROM sales_order
    WHERE total_amount <> subtotal + tax OR tax <> round(subtotal * 0.08, 2)
       OR subtotal <> (SELECT sum(line_total) FROM (
              SELECT line_total FROM sales_order_parts p WHERE p.order_id = sales_order.order_id
              UNION ALL SELECT line_total FROM sales_order_services s WHERE s.order_id = sales_order.order_id))
"""


@pytest.fixture
def shop(database):
    seed_database(database)
    return database


@pytest.fixture
def journal(shop):
    """A connection whose table `journal` gets a row for each row that changes."""
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute("CREATE TABLE journal (name TEXT, verb TEXT)")
        connection.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN INSERT INTO journal VALUES (tg_table_name, lower(tg_op)); RETURN NULL; END$$"
        )
        for table in TABLES:
            connection.execute(
                sql.SQL(
                    "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION note()"
                ).format(sql.Identifier(table))
            )
        yield connection


@pytest.mark.parametrize("orders", [1, 40])
def test_every_table_sees_inserts_updates_and_deletes_and_the_counts_are_right(orders, shop, journal):
    counts = simulate(shop, orders=orders, seed=orders)
    assert all(count > 0 for verbs in counts.values() for count in verbs.values())
    assert counts["sales_order"]["insert"] >= orders
    seen = {
        (name, verb): count
        for name, verb, count in journal.execute("SELECT name, verb, count(*) FROM journal GROUP BY 1, 2")
    }
    assert seen == {(table, verb): count for table, verbs in counts.items() for verb, count in verbs.items()}


def test_it_can_run_again_and_beside_itself(shop):
    simulate(shop, orders=20, seed=7)
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda seed: simulate(shop, orders=60, seed=seed), (7, 7, 8)))
    with psycopg.connect(shop) as connection:
        assert connection.execute(INCONSISTENT).fetchall() == []
        ((orders,),) = connection.execute("SELECT count(*) FROM sales_order WHERE order_id > 1000").fetchall()
    assert all(run["sales_order"]["insert"] >= 60 for run in runs)
    assert orders > 150


def test_orders_move_to_months_that_are_past(shop):
    before = dict(dates(shop))
    simulate(shop, orders=100, seed=3)
    with psycopg.connect(shop) as connection:
        ((outside,),) = connection.execute(
            "SELECT count(*) FROM sales_order WHERE order_date < '2021-06-07' OR order_date > now()"
        ).fetchall()
    after = dict(dates(shop))
    moved = [key for key in before.keys() & after.keys() if before[key] != after[key]]
    assert outside == 0
    assert moved
    assert all(before[key].strftime("%Y%m") != after[key].strftime("%Y%m") for key in moved)


def dates(dsn):
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT order_id, order_date FROM sales_order").fetchall()


def test_an_empty_shop_opens(database):
    with psycopg.connect(database) as connection:
        create_schema(connection)
    counts = simulate(database, orders=5)
    assert counts["sales_order"]["insert"] >= 5
    assert counts["customers"]["insert"] > 0


def test_it_stops_when_asked_and_tells_how_far_it_came(shop):
    stop, heard = threading.Event(), []

    def progress(done: int, total: int) -> None:
        heard.append((done, total))
        if done == 10:
            stop.set()

    simulate(shop, orders=1000, stop=stop, progress=progress)
    assert [done for done, _ in heard] == list(range(1, 11))
    assert heard[0][1] > 1000


def test_the_rate_is_a_limit(shop):
    started = time.monotonic()
    simulate(shop, orders=10, rate=20)
    assert time.monotonic() - started >= 0.5
