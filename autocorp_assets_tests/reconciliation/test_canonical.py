"""PostgreSQL and DuckDB make the same of every value that the lake can hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, LiteralString

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from autocorp_assets.contracts.model import Column
from autocorp_assets.reconciliation.canonical import (
    duckdb_checksum,
    duckdb_name,
    duckdb_value,
    postgres_checksum,
    postgres_value,
)

TYPES: dict[str, LiteralString] = {
    "an int": "INT",
    'a "quoted" text': "VARCHAR(300)",
    "text": "TEXT",
    "day": "DATE",
    "moment": "TIMESTAMP",
    "price": "DECIMAL(12,2)",
    "whole": "DECIMAL(10,0)",
    "fine": "DECIMAL(38,10)",
    "money": "MONEY",
}
COLUMNS = tuple(Column(name=name, source_type=kind, description="") for name, kind in TYPES.items())
Row = tuple[Any, ...]


def amounts(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    largest = 10**digits - 1
    return st.integers(-largest, largest).map(lambda units: Decimal(f"{units}e-{places}"))


# Every plane of Unicode, without what UTF-8 (surrogates) or PostgreSQL (NUL) cannot hold.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.sampled_from(["", " ", "NULL", ":", "0:", ",", "1:a", "'", '"', "\\", "\n", "\r\n", "\t", "𝄞🚗", "\U0010ffff"]),
)
ROWS = st.tuples(
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.none() | st.dates(),
    st.none() | st.datetimes(),
    st.none() | amounts(12, 2),
    st.none() | amounts(10, 0),
    st.none() | amounts(38, 10),
    st.none() | st.integers(-(2**63), 2**63 - 1).map(lambda cents: Decimal(cents).scaleb(-2)),
)
Both = Callable[[Sequence[Row]], tuple[list[Row], list[Row]]]


@pytest.fixture
def both(database) -> Both:
    """Writes rows to a table of either engine and gives texts and checksum of each."""
    source = psycopg.connect(database, options="-c lc_monetary=C -c DateStyle=ISO -c TimeZone=UTC", autocommit=True)
    kinds = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in TYPES.items()
    )
    source.execute(sql.SQL("CREATE TABLE t (n serial, {})").format(kinds))
    lake = duckdb.connect()
    typed = ", ".join(f"{duckdb_name(column.name)} {column.type.replace('string', 'VARCHAR')}" for column in COLUMNS)
    lake.execute(f"CREATE TABLE t (n INT, {typed})")
    marks = sql.SQL(", ").join(
        sql.SQL("%s::numeric::money" if column.source_type == "MONEY" else "%s") for column in COLUMNS
    )

    def read(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
        source.execute("TRUNCATE t RESTART IDENTITY")
        lake.execute("DELETE FROM t")
        with source.cursor() as cursor:
            cursor.executemany(sql.SQL("INSERT INTO t VALUES (DEFAULT, {})").format(marks), rows)
        lake.executemany(
            f"INSERT INTO t VALUES ({', '.join('?' * (1 + len(COLUMNS)))})",  # noqa: S608
            [(n, *row) for n, row in enumerate(rows, 1)],
        )
        texts = sql.SQL(", ").join([*(postgres_value(c) for c in COLUMNS), postgres_checksum(COLUMNS)])
        of_source = source.execute(sql.SQL("SELECT {} FROM t ORDER BY n").format(texts)).fetchall()
        same = ", ".join([*(duckdb_value(c) for c in COLUMNS), duckdb_checksum(COLUMNS)])
        return of_source, lake.execute(f"SELECT {same} FROM t ORDER BY n").fetchall()  # noqa: S608

    return read


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=10))
def test_both_engines_give_the_same_text_and_the_same_checksum(both: Both, rows: list[Row]):
    of_source, of_lake = both(rows)

    assert of_source == of_lake


def test_rows_that_differ_at_all_have_different_checksums(both: Both):
    nothing: Row = (None,) * len(COLUMNS)
    variants = [
        nothing,
        (nothing[0], "", *nothing[2:]),
        (nothing[0], None, "", *nothing[3:]),
        (nothing[0], "a", "b", *nothing[3:]),
        (nothing[0], "ab", "", *nothing[3:]),
        (nothing[0], "a:b", None, *nothing[3:]),
        (nothing[0], "a", ":b", *nothing[3:]),
        (0, *nothing[1:]),
        (*nothing[:4], dt.datetime(2024, 1, 1, 0, 0, 0, 1), *nothing[5:]),
        (*nothing[:4], dt.datetime(2024, 1, 1, 0, 0, 0, 2), *nothing[5:]),
        (*nothing[:5], Decimal("1.10"), *nothing[6:]),
        (*nothing[:5], Decimal("11.00"), *nothing[6:]),
        (*nothing[:5], None, Decimal(10), *nothing[7:]),
        (*nothing[:5], None, Decimal(100), *nothing[7:]),
        (*nothing[:5], Decimal(100), None, *nothing[7:]),
    ]

    _, of_lake = both(variants)

    assert len({row[-1] for row in of_lake}) == len(variants)


@pytest.mark.parametrize(
    ("source_type", "values"),
    [
        ("DATE", ["infinity", "-infinity", "0044-03-15 BC", "5874897-12-31"]),
        ("TIMESTAMP", ["infinity", "-infinity", "0044-03-15 12:00:00 BC", "294276-12-31"]),
        ("NUMERIC", ["NaN", "Infinity", "-Infinity", "1e100", "1.005"]),
    ],
)
def test_values_that_the_lake_cannot_hold_are_read_from_the_source_without_an_error(
    database, source_type: LiteralString, values: list[str]
):
    column = Column(name="c", source_type="DECIMAL(12,2)" if source_type == "NUMERIC" else source_type, description="")
    with psycopg.connect(database, options="-c DateStyle=ISO") as source:
        source.execute(sql.SQL("CREATE TABLE t (c {})").format(sql.SQL(source_type)))
        source.cursor().executemany("INSERT INTO t VALUES (%s)", [[value] for value in values])

        found = source.execute(sql.SQL("SELECT {} FROM t").format(postgres_checksum([column]))).fetchall()

    assert len(set(found)) == len(values)


def test_an_amount_is_the_same_at_another_scale_and_another_with_one_more_digit(database):
    column = Column(name="c", source_type="DECIMAL(12,2)", description="")
    query = sql.SQL("SELECT {} FROM (VALUES (1.5), (1.50), (1.5000), (1.505), (150)) t (c)")
    with psycopg.connect(database) as source:
        found = [row[0] for row in source.execute(query.format(postgres_checksum([column])))]

    assert found[0] == found[1] == found[2]
    assert len(set(found)) == 3
