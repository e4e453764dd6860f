"""Values on their whole way: PostgreSQL, the real replicator, the real job, both formats, and the query."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import QUARANTINE
from autocorp_assets.local.replicator.service import replicate
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets_tests.local.replicator.conftest import SCHEMA
from autocorp_assets_tests.local.replicator.raw_reader import source_rows
from autocorp_assets_tests.spark_jobs.lake import Lake

pytestmark = pytest.mark.spark

TEXTS = [
    "",
    " ",
    "'",
    '"',
    '""',
    "a,b;c|d",
    "back\\slash \\N \\. \\x41",
    "a\nb\r\nc\rd\te",
    "NULL",
    "\x01\x7f\x85\u2028\ufeff",
    "e\u0301 \u0928\u093f",  # combining
    "\u202e\u05e2\u05d1 \u0627\u0644\u202c",  # right to left
    "👩‍🔧",
    *(chr(plane * 0x10000 + 0x100) for plane in range(17)),
    "\ufffd\uffff\U0010ffff",
]
GOOD: dict[tuple[str, str], list[str | None]] = {
    ("service", "labor_cost"): [
        "$1,234.56",
        "-$1,234.56",
        "-$0.01",
        "92233720368547758.07",
        "-92233720368547758.08",
        None,
    ],
    ("service", "labor_minutes"): ["2147483647", "-2147483648"],
    ("auto_parts", "price"): ["99999999.99", "-99999999.99", "0.01", "0", None],
    ("auto_parts", "inventory_date"): ["0001-01-01", "1582-10-10", "1900-02-28", "2024-02-29", "9999-12-31"],
    ("auto_parts", "description"): [*TEXTS, None],
    ("sales_order", "notes"): [*TEXTS, None],
    ("sales_order", "total_amount"): ["9999999999.99", "-9999999999.99"],
    ("sales_order", "order_date"): [
        "0001-01-01 00:00:00.000001",
        "1582-10-10 12:00:00",
        "1969-12-31 23:59:59.999999",
        "2024-03-31 02:30:00.123456",
        "9999-12-31 23:59:59.999999",
    ],
}
BAD = [
    ("auto_parts", "price", "NaN", "price: NaN does not fit decimal(10,2)"),
    ("auto_parts", "inventory_date", "-infinity", "inventory_date: infinity does not fit date"),
    ("auto_parts", "inventory_date", "0044-03-15 BC", "inventory_date: a time BC does not fit date"),
    ("auto_parts", "inventory_date", "10000-01-01", "inventory_date: a time after 9999 does not fit date"),
    ("sales_order", "order_date", "infinity", "order_date: infinity does not fit timestamp"),
    ("sales_order", "order_date", "0044-03-15 10:00:00 BC", "order_date: a time BC does not fit timestamp"),
    ("sales_order", "order_date", "294276-12-31 23:59:59", "order_date: a time after 9999 does not fit timestamp"),
    ("sales_order", "tax", "NaN", "tax: NaN does not fit decimal(12,2)"),
]
"""Table, column, value, reason."""
TABLES_SEEN = ("service", "auto_parts", "sales_order")


STORED, NEW, MENDED, HALF_MENDED, HALF_NEW = 1, 2, 3, 4, 5
GOOD_LOADED, GOOD_CHANGED, SPOILED, SPOILED_NEW, GONE = 1000, 2000, 500, 600, 700
"""Keys, or the first of several."""
Statement = tuple[str, tuple[object, ...]]


def large(seed: int) -> str:
    """A mebibyte that does not compress: PostgreSQL keeps it outside of its row."""
    return random.Random(seed).randbytes(512 * 1024).hex()


def insert(table: str, key: int, **values: object) -> Statement:
    """A row with what the table asks for, and these values."""
    needed: dict[str, dict[str, object]] = {
        "service": {"serviceid": str(key)},
        "auto_parts": {"sku": str(key), "name": "part"},
        "sales_order": {"order_id": key, "customer_id": 1, "order_date": "2024-01-02", "invoice_number": f"I{key}"},
    }
    row = needed[table] | values
    columns, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values())  # noqa: S608


def update(table: str, key: int, **values: object) -> Statement:
    changes = ", ".join(f"{name} = %s" for name in values)
    return f"UPDATE {table} SET {changes} WHERE {_primary(table)} = %s", (*values.values(), str(key))  # noqa: S608


def delete(table: str, key: int) -> Statement:
    return f"DELETE FROM {table} WHERE {_primary(table)} = %s", (str(key),)  # noqa: S608


def _primary(table: str) -> str:
    return f"{TABLES[table].primary_key}::text"


def every_good_value(first_key: int) -> list[Statement]:
    cells = [(table, column, value) for (table, column), values in GOOD.items() for value in values]
    return [insert(table, first_key + at, **{column: value}) for at, (table, column, value) in enumerate(cells)]


@dataclass(frozen=True)
class Way:
    """A source and its lake."""

    dsn: str
    lake: Lake
    state: Path

    def commit(self, *statements: Statement) -> None:
        """One transaction, and so one batch."""
        with psycopg.connect(self.dsn) as connection:
            for statement, values in statements:
                connection.execute(statement.encode(), values)

    def arrive(self, *tables: str) -> None:
        replicate(
            dsn=self.dsn,
            lake=self.lake.root,
            state=self.state,
            until_caught_up=True,
            deadline_seconds=60,
            stop=None,
            on_progress=lambda _: None,
        )
        for table in tables:
            self.lake.curate(table)

    def queried(self, table: str) -> dict[Any, dict[str, Any]]:
        """The rows that an analyst reads, by key."""
        result = LakeQuery(self.lake.root).run(f"SELECT * FROM {table}")  # noqa: S608
        rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows()]
        return {row[TABLES[table].primary_key]: row for row in rows}

    def quarantined(self, table: str) -> dict[str, list[str]]:
        """Reasons by record key."""
        kept = self.lake.spark.read.parquet(str(self.lake.root / QUARANTINE / table)).filter("position IS NOT NULL")
        return {row["record_key"]: row["reasons"] for row in kept.select("record_key", "reasons").collect()}


@pytest.fixture
def way(database: str, lake: Lake, tmp_path: Path) -> Way:
    with psycopg.connect(database) as connection:
        connection.execute(SCHEMA.read_bytes())
        connection.execute("INSERT INTO customers (first_name, last_name, email) VALUES ('A', 'B', 'a@example.com')")
    return Way(database, lake, tmp_path / "state")


def test_every_value_arrives_as_it_is_or_is_kept_out_with_its_reason(way: Way):
    before = [
        *every_good_value(GOOD_LOADED),
        insert("auto_parts", STORED, description=large(1)),
        insert("sales_order", STORED, notes=large(1)),
        *(insert(table, first + at) for at, (table, *_) in enumerate(BAD) for first in (SPOILED, GONE)),
    ]
    changes = [
        *every_good_value(GOOD_CHANGED),
        update("auto_parts", STORED, name="renamed"),
        update("sales_order", STORED, status="Paid"),
        insert("auto_parts", NEW, description=large(2)),
        update("auto_parts", NEW, name="renamed"),
        insert("sales_order", NEW, notes=large(2)),
        update("sales_order", NEW, notes=large(3)),
        update("sales_order", NEW, status="Paid"),
        # The large value came with a change that was kept out, and was not sent again with the one that mended it.
        insert("auto_parts", MENDED, description=large(4), price="NaN"),
        update("auto_parts", MENDED, price=1),
    ]
    for at, (table, column, value, _) in enumerate(BAD):
        changes += [
            update(table, SPOILED + at, **{column: value}),
            insert(table, SPOILED_NEW + at, **{column: value}),
            update(table, GONE + at, **{column: value}),
            delete(table, GONE + at),
        ]

    way.commit(*before)
    way.arrive("auto_parts", "sales_order")
    loaded = {table: way.queried(table) for table in TABLES_SEEN}
    assert loaded == {"service": {}, **{table: source_rows(way.dsn, table) for table in ("auto_parts", "sales_order")}}

    way.commit(*changes)
    way.arrive(*TABLES_SEEN)
    for table in TABLES_SEEN:
        spoiled = {
            str(first + at) for at, (of, *_) in enumerate(BAD) if of == table for first in (SPOILED, SPOILED_NEW)
        }
        found = way.queried(table)
        kept = {key: found.pop(key) for key in list(found) if str(key) in spoiled}
        assert found == source_rows(way.dsn, table, besides=sorted(spoiled))
        assert kept == {key: row for key, row in loaded[table].items() if str(key) in spoiled}
    reasons = {
        key.removeprefix("db:"): why
        for table in ("auto_parts", "sales_order")
        for key, why in way.quarantined(table).items()
    }
    expected = {str(first + at): [why] for at, (*_, why) in enumerate(BAD) for first in (SPOILED, SPOILED_NEW, GONE)}
    assert reasons == expected | {str(MENDED): ["price: NaN does not fit decimal(10,2)"]}
