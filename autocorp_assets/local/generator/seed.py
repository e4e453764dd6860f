"""Fills an empty PostgreSQL with the operational database of the business."""

from __future__ import annotations

from datetime import timedelta
from importlib import resources

import numpy as np
import polars as pl
import psycopg
from psycopg import sql

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import SourceSystem
from autocorp_assets.local.generator.catalogue import Catalogue, catalogue, scan_dump
from autocorp_assets.local.generator.draws import Integers, apportion, below, generator, uniform
from autocorp_assets.local.generator.orders import (
    FIRST_DAY,
    LAST_DAY,
    MIXED,
    PARTS,
    SERVICE,
    OrderBook,
    OrderPlan,
    as_text,
    fill_in,
    moments,
)
from autocorp_assets.local.generator.people import people

CUSTOMERS = 1_149
ORDERS_BY_TYPE = {PARTS: 450, SERVICE: 150, MIXED: 400}
PART_LINES = 2_135
SERVICE_LINES = 644
BIG_ORDERS = (51, 58, 64)
"""Part lines of the largest orders."""
MOST_LINES = 64
SHORT_NOTES = (
    "",
    "Customer waits.",
    'Said "brakes squeal", could not reproduce',
    "Call back before 17:00,\nspeaks Español",
    "Überprüft: ölt leicht 🚗",
    "O'Brien pays; invoice c/o fleet, attn. \\N. Meyer",
)
LONG_NOTE_EVERY = 80
SEED_LOCK = 0x4155544F
"""Advisory lock, so that two seeders do not both find the database empty."""
SCHEMA = resources.files("autocorp_assets.local.source") / "schema.sql"


def create_schema(connection: psycopg.Connection) -> None:
    """Create the tables and views in the connection's current schema and transaction."""
    connection.execute(SCHEMA.read_text(encoding="utf-8").encode())


def seed_database(dsn: str, *, seed: int = 1) -> dict[str, int]:
    """Create the schema and its rows in one transaction; do nothing when the tables are there.

    Returns:
        Rows written by table; empty when nothing was done.

    Raises:
        RuntimeError: only some of the tables exist, so the database is not ours to fill.
    """
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [SEED_LOCK])
        found = _tables_found(connection)
        if found == TABLES.keys():
            return {}
        if found:
            missing = ", ".join(sorted(TABLES.keys() - found))
            raise RuntimeError(
                f"database {connection.info.dbname} has {', '.join(sorted(found))} but not {missing}: "
                "drop them, or seed another database"
            )
        create_schema(connection)
        # money is read by this locale; the text has a decimal point.
        connection.execute("SET LOCAL lc_monetary = 'C'")
        rows = seed_rows(seed)
        for table, frame in rows.items():
            _copy(connection, table, frame)
            _move_sequence(connection, table)
    # Without statistics the first statements after a seed are planned for empty tables.
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in rows:
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    return {table: frame.height for table, frame in rows.items()}


def seed_rows(seed: int) -> dict[str, pl.DataFrame]:
    """The rows of each table as text, in the order in which references allow them to be written."""
    stock = catalogue(seed)
    book = fill_in(_plan(seed), stock, seed=seed)
    frames = {
        "auto_parts": stock.parts,
        "customers": _customers(seed),
        "service": stock.services,
        "service_parts": _service_parts(stock, seed),
        "sales_order": _orders(book, seed),
        **_lines(book, seed),
    }
    return {
        name: as_text(frame).select(column for column in contract.column_by_name if column in frame.columns)
        for name, contract in TABLES.items()
        for frame in [frames[name]]
    }


def _plan(seed: int) -> OrderPlan:
    rng = generator(seed, "database orders")
    kinds = np.repeat(list(ORDERS_BY_TYPE), list(ORDERS_BY_TYPE.values()))
    rng.shuffle(kinds)
    count = len(kinds)
    return OrderPlan(
        system=SourceSystem.DATABASE,
        order_id=np.arange(1, count + 1),
        # Each customer is as likely as another; some have many orders and some none.
        customer_id=below(CUSTOMERS, seed, "database customer", count) + 1,
        order_type=kinds,
        # Numbers are given out in the order of time.
        order_date=moments(uniform(seed, "database date", count), LAST_DAY).sort(),
        part_lines=_line_counts(kinds != SERVICE, PART_LINES, BIG_ORDERS, rng),
        service_lines=_line_counts(kinds != PARTS, SERVICE_LINES, (), rng),
    )


def _line_counts(has_lines: np.ndarray, total: int, big: tuple[int, ...], rng: np.random.Generator) -> Integers:
    counts = np.zeros(len(has_lines), dtype=np.int64)
    least = np.ones(int(has_lines.sum()), dtype=np.int64)
    least[rng.choice(len(least), size=len(big), replace=False)] = big
    counts[has_lines] = apportion(total, low=least, high=MOST_LINES, rng=rng)
    return counts


def _customers(seed: int) -> pl.DataFrame:
    known = moments(uniform(seed, "customer since", CUSTOMERS), LAST_DAY).sort()
    return people(CUSTOMERS, seed=seed).with_columns(
        pl.int_range(1, CUSTOMERS + 1).alias("customer_id"),
        known.alias("created_at"),
        _thin_out("phone", "", seed=seed, share=0.02),
        _thin_out("city", None, seed=seed, share=0.01),
        _thin_out("state", None, seed=seed, share=0.01),
        _thin_out("zip_code", None, seed=seed, share=0.02),
    )


def _service_parts(stock: Catalogue, seed: int) -> pl.DataFrame:
    return stock.recipes.with_columns(
        pl.lit(FIRST_DAY).cast(pl.Datetime("us")).alias("created_at"),
        pl.int_range(1, pl.len() + 1).alias("service_part_id"),
        _thin_out("quantity", None, seed=seed, share=0.01, rows=stock.recipes.height),
    )


def _orders(book: OrderBook, seed: int) -> pl.DataFrame:
    count = book.orders.height
    year = pl.col("order_date").dt.year()
    in_year = pl.int_range(1, pl.len() + 1).over(year)
    return book.orders.with_columns(
        pl.format("INV-{}-{}", year, in_year.cast(pl.String).str.zfill(6)).alias("invoice_number"),
        pl.Series("notes", _notes(count, seed), dtype=pl.String),
        pl.col("order_date").alias("created_at"),
        (pl.col("order_date") + timedelta(hours=6)).alias("updated_at"),
        _thin_out("payment_method", None, seed=seed, share=0.01, rows=count),
    )


def _notes(count: int, seed: int) -> list[str | None]:
    rng = generator(seed, "notes")
    has_note = rng.random(count) < 0.4
    notes: list[str | None] = [
        SHORT_NOTES[number % len(SHORT_NOTES)] if wanted else None for number, wanted in enumerate(has_note)
    ]
    for number in range(LONG_NOTE_EVERY // 2, count, LONG_NOTE_EVERY):
        notes[number] = scan_dump(rng, 4_000)
    return notes


def _lines(book: OrderBook, seed: int) -> dict[str, pl.DataFrame]:
    created = book.orders.select("order_id", pl.col("order_date").alias("created_at"))
    gaps = {"sales_order_parts": "part_id", "sales_order_services": "technician_id"}
    return {
        name: frame.join(created, on="order_id", how="left", maintain_order="left").with_columns(
            pl.int_range(1, pl.len() + 1).alias("line_item_id"),
            _thin_out(gaps[name], None, seed=seed, share=0.02, rows=frame.height),
        )
        for name, frame in (("sales_order_parts", book.parts), ("sales_order_services", book.services))
    }


def _thin_out(column: str, empty: str | None, *, seed: int, share: float, rows: int = CUSTOMERS) -> pl.Expr:
    """The column with about `share` of its values gone, as people leave them."""
    gone = pl.Series(uniform(seed, f"no {column}", rows) < share)
    return pl.when(gone).then(pl.lit(empty)).otherwise(pl.col(column)).alias(column)


def _tables_found(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname = ANY(%s) AND pg_table_is_visible(oid)",
        [list(TABLES)],
    )
    return {name for (name,) in rows}


def _copy(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> None:
    # In CSV, as COPY and polars both have it, an empty field is NULL and a quoted one the empty string.
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER match, ENCODING 'UTF8')").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(frame.write_csv().encode())


def _move_sequence(connection: psycopg.Connection, table: str) -> None:
    key = TABLES[table].column_by_name[TABLES[table].primary_key]
    if key.source_type == "SERIAL":
        connection.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({table_name}, {key_name}), max({key})) FROM {table}").format(
                table_name=sql.Literal(table),
                key_name=sql.Literal(key.name),
                key=sql.Identifier(key.name),
                table=sql.Identifier(table),
            )
        )
