"""Transactions that are hard to follow: what is done to one key at once, moved, renamed, cascaded or emptied."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import psycopg

Deed = Callable[[psycopg.Cursor[Any], random.Random], None]

HOT_KEYS = 6
HOT_ORDERS = 10_000_000
"""Orders of ours have numbers from here on; those of the ordinary traffic stay far below."""
BULK_ROWS = 4_000


def hot_part(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """Several changes of one key in one transaction."""
    sku = _hot(rng)
    cursor.execute(
        "INSERT INTO auto_parts (sku, name, description, price) VALUES (%s, 'hot', %s, 1)"
        " ON CONFLICT (sku) DO UPDATE SET price = auto_parts.price + 1",
        [sku, _long(rng)],
    )
    for _ in range(rng.randrange(1, 6)):
        cursor.execute("UPDATE auto_parts SET price = %s WHERE sku = %s", [rng.randrange(1000), sku])


def inserted_and_deleted(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """A row that only the transaction itself has ever seen."""
    sku = f"brief-{rng.getrandbits(40)}"
    cursor.execute("INSERT INTO auto_parts (sku, name) VALUES (%s, 'brief')", [sku])
    if rng.random() < 0.5:
        cursor.execute("UPDATE auto_parts SET name = '' WHERE sku = %s", [sku])
    cursor.execute("DELETE FROM auto_parts WHERE sku = %s", [sku])


def deleted_and_back(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    sku = _hot(rng)
    cursor.execute("DELETE FROM auto_parts WHERE sku = %s", [sku])
    if rng.random() < 0.7:
        cursor.execute("INSERT INTO auto_parts (sku, name, price) VALUES (%s, 'back again', 7)", [sku])


def renamed_part(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """Another primary key, and a long description that the update does not carry."""
    old, new = _hot(rng), _hot(rng)
    cursor.execute(
        "UPDATE auto_parts SET sku = %(new)s WHERE sku = %(old)s"
        " AND NOT EXISTS (SELECT FROM auto_parts WHERE sku = %(new)s)",
        {"old": old, "new": new},
    )


def hot_order(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """An order with a long note, that moves to another month, or comes into being again in one."""
    order, month = _hot_order(rng), rng.randrange(1, 13)
    if rng.random() < 0.3:
        cursor.execute("DELETE FROM sales_order WHERE order_id = %s", [order])
    cursor.execute(
        "INSERT INTO sales_order (order_id, customer_id, order_date, invoice_number, order_type, notes)"
        " SELECT %(order)s, customer_id, make_timestamp(2024, %(month)s, 3, 4, 5, 6.789012), %(invoice)s,"
        " 'Parts', %(note)s"
        " FROM customers ORDER BY customer_id LIMIT 1"
        " ON CONFLICT (order_id) DO UPDATE SET order_date = excluded.order_date",
        {"order": order, "month": month, "invoice": f"INV-2024-{rng.randrange(10**9):09d}", "note": _long(rng)},
    )


def untouched_note(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """Updates that leave a long note alone, with one that changes it in between now and then."""
    order = _hot_order(rng)
    cursor.execute("UPDATE sales_order SET status = %s WHERE order_id = %s", [f"s{rng.randrange(99)}", order])
    if rng.random() < 0.3:
        cursor.execute("UPDATE sales_order SET notes = %s WHERE order_id = %s", [_long(rng), order])
    cursor.execute("UPDATE sales_order SET status = %s WHERE order_id = %s", [f"t{rng.randrange(99)}", order])


def renumbered_order(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """Another key for an order without lines, whose long note goes along unseen."""
    cursor.execute(
        "UPDATE sales_order o SET order_id = %(new)s WHERE order_id = %(old)s"
        " AND NOT EXISTS (SELECT FROM sales_order WHERE order_id = %(new)s)"
        " AND NOT EXISTS (SELECT FROM sales_order_parts l WHERE l.order_id = o.order_id)",
        {"old": _hot_order(rng), "new": _hot_order(rng)},
    )


def lines_of_a_hot_order(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """Lines that a later delete of their order takes along."""
    cursor.execute(
        "INSERT INTO sales_order_parts (order_id, sku, quantity, unit_price, line_total)"
        " SELECT order_id, 'hot', n, 1.50, 1.50 * n FROM sales_order, generate_series(1, %s) n WHERE order_id = %s",
        [rng.randrange(1, 20), _hot_order(rng)],
    )


def cascade(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    cursor.execute("DELETE FROM sales_order WHERE order_id = %s", [_hot_order(rng)])


def emptied_table(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """TRUNCATE, and some of the rows again."""
    cursor.execute("TRUNCATE service_parts")
    cursor.execute(
        "INSERT INTO service_parts (serviceid, sku) SELECT serviceid, 'after' FROM service"
        " ORDER BY md5(serviceid) LIMIT %s",
        [rng.randrange(100)],
    )


def bulk(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """One large transaction: many rows come, change and mostly go."""
    mark = f"bulk-{rng.randrange(3)}-"
    cursor.execute(
        "INSERT INTO auto_parts (sku, name) SELECT %s || n, 'bulk' FROM generate_series(1, %s) n"
        " ON CONFLICT (sku) DO UPDATE SET name = 'bulk again'",
        [mark, BULK_ROWS],
    )
    cursor.execute("UPDATE auto_parts SET price = 5 WHERE starts_with(sku, %s)", [mark])
    cursor.execute("DELETE FROM auto_parts WHERE starts_with(sku, %s) AND right(sku, 1) <> '7'", [mark])


def rolled_back(cursor: psycopg.Cursor[Any], rng: random.Random) -> None:
    """What never happened, between what did."""
    sku = _hot(rng)
    cursor.execute("UPDATE auto_parts SET vendor = 'before' WHERE sku = %s", [sku])
    cursor.execute("SAVEPOINT regret")
    cursor.execute("UPDATE auto_parts SET vendor = 'never' WHERE sku = %s", [sku])
    cursor.execute("DELETE FROM auto_parts WHERE sku = %s", [_hot(rng)])
    cursor.execute("ROLLBACK TO SAVEPOINT regret")
    cursor.execute("UPDATE auto_parts SET name = %s WHERE sku = %s", ['quote " comma , line\nNULL', sku])


DEEDS: dict[Deed, float] = {
    hot_part: 5,
    inserted_and_deleted: 3,
    deleted_and_back: 3,
    renamed_part: 2,
    hot_order: 5,
    untouched_note: 5,
    renumbered_order: 2,
    lines_of_a_hot_order: 3,
    cascade: 1,
    rolled_back: 2,
    emptied_table: 0.05,
    bulk: 0.05,
}
"""With their weights."""


def next_deed(rng: random.Random) -> Deed:
    """Some deed, by its weight."""
    return rng.choices(list(DEEDS), list(DEEDS.values()))[0]


def _hot(rng: random.Random) -> str:
    return f"hot-{rng.randrange(HOT_KEYS)}"


def _hot_order(rng: random.Random) -> int:
    return HOT_ORDERS + rng.randrange(HOT_KEYS)


def _long(rng: random.Random) -> str:
    """A text that is stored out of line: an update that leaves it alone does not carry it."""
    return rng.randbytes(4_000).hex(" ", 16)
