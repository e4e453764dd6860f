"""Access to the rows of the live database by their contracts' primary keys."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from autocorp_assets.contracts import TABLES

Changes = Counter[tuple[str, str]]
"""Rows by (table, `insert`, `update` or `delete`)."""
ANY_ROW = sql.SQL("TRUE")
FOR_CHANGE = sql.SQL("FOR UPDATE SKIP LOCKED")
FOR_REFERENCE = sql.SQL("FOR KEY SHARE SKIP LOCKED")
NOW: LiteralString = "timezone('utc', clock_timestamp())"
TOUCH: LiteralString = f", updated_at = {NOW}"


def pick(
    cursor: psycopg.Cursor,
    rng: random.Random,
    table: str,
    *,
    where: sql.Composable = ANY_ROW,
    lock: sql.Composable = FOR_CHANGE,
) -> Any:
    """The key of some row `t` of the table, locked; None when there is none.

    Rows that another connection has locked are passed over.
    """
    key = TABLES[table].column_by_name[TABLES[table].primary_key]
    names = {"key": sql.Identifier("t", key.name), "table": sql.Identifier(table)}
    if key.source_type != "SERIAL":
        shuffled = sql.SQL("SELECT {key} FROM {table} t WHERE {where} ORDER BY md5({key} || %s) LIMIT 1 {lock}")
        return value(cursor, shuffled.format(**names, where=where, lock=lock), [salt(rng)])
    # The first row from a random number on, or else from the start: the index finds it at any size.
    last = value(cursor, sql.SQL("SELECT coalesce(max({key}), 0) FROM {table} t").format(**names))
    onward = sql.SQL("SELECT {key} FROM {table} t WHERE {key} >= %s AND {where} ORDER BY {key} LIMIT 1 {lock}")
    for start in (rng.randint(0, last), 0):
        found = value(cursor, onward.format(**names, where=where, lock=lock), [start])
        if found is not None:
            return found
    return None


def insert(cursor: psycopg.Cursor, table: str, rows: Sequence[Mapping[str, object]]) -> Changes:
    """Insert rows that all have the same columns."""
    if rows:
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, rows[0])),
            sql.SQL(", ").join(map(sql.Placeholder, rows[0])),
        )
        cursor.executemany(statement, rows)
    return Changes({(table, "insert"): len(rows)})


def update(cursor: psycopg.Cursor, table: str, key: object, **values: object) -> Changes | None:
    """Set columns of one row, and when it was updated if the table tells; None for no key."""
    if key is None:
        return None
    statement = sql.SQL("UPDATE {} SET {}{} WHERE {} = %s").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values),
        sql.SQL(TOUCH if "updated_at" in TABLES[table].column_by_name else ""),
        sql.Identifier(TABLES[table].primary_key),
    )
    cursor.execute(statement, [*values.values(), key])
    return Changes({(table, "update"): 1})


def delete(cursor: psycopg.Cursor, table: str, key: object) -> Changes | None:
    """Delete one row; None for no key."""
    if key is None:
        return None
    statement = sql.SQL("DELETE FROM {} WHERE {} = %s")
    cursor.execute(statement.format(sql.Identifier(table), sql.Identifier(TABLES[table].primary_key)), [key])
    return Changes({(table, "delete"): 1})


def next_key(cursor: psycopg.Cursor, table: str) -> int:
    """A fresh number of the table's sequence."""
    return value(cursor, "SELECT nextval(pg_get_serial_sequence(%s, %s))", [table, TABLES[table].primary_key])


def value(cursor: psycopg.Cursor, query: LiteralString | sql.Composed, parameters: list | None = None) -> Any:
    """The first column of the first row, None without a row."""
    row = cursor.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def salt(rng: random.Random) -> str:
    """Text that puts hashes, and so a catalogue, into a random order."""
    return f"{rng.getrandbits(32):08x}"
