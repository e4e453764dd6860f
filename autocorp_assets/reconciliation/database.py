"""A table of the source against its rows in the lake, every value of every row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts.model import SOURCE_SYSTEM, Column, SourceSystem, TableContract

if TYPE_CHECKING:
    from psycopg import sql

SAMPLE_KEYS = 10
FETCH_ROWS = 10_000
Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class TableDifference:
    """What tells source and lake apart; keys are samples, values are not shown: they may be personal."""

    table: str
    source_rows: int
    lake_rows: int
    """The lake's rows that come from the database."""
    missing: int = 0
    """In the source, not in the lake."""
    extra: int = 0
    """In the lake, not in the source."""
    changed: int = 0
    """In both, with another value."""
    sample: tuple[str, ...] = ()
    """`key: missing`, `key: extra`, or `key: the columns that differ`."""

    @property
    def count(self) -> int:
        return self.missing + self.extra + self.changed


def compare_table(dsn: str, lake: str | Path, contract: TableContract) -> TableDifference:
    """Compare all rows; NULL differs from an empty text, and a time to the microsecond counts.

    Both sides are held in memory, which suits tables of up to some 100,000 rows.

    Args:
        dsn: of the source, read in one read-only statement.
        lake: the lake's root.
        contract: the table.

    Raises:
        psycopg.Error: the source cannot be read.
    """
    columns = [column.name for column in contract.columns]
    key = columns.index(contract.primary_key)
    source = {row[key]: row for row in source_rows(dsn, contract)}
    stored = list(lake_rows(lake, contract))
    return difference(contract.name, columns, source, {row[key]: row for row in stored}, lake_rows=len(stored))


def difference(
    table: str, columns: list[str], source: Mapping[Any, Row], lake: Mapping[Any, Row], *, lake_rows: int
) -> TableDifference:
    """The difference of two sets of rows by key. Pure.

    `lake_rows` counts the rows as stored: more of them than keys means that a record is stored twice.
    """
    missing = [key for key in source if key not in lake]
    extra = [key for key in lake if key not in source]
    changed = {
        key: _changed(columns, row, lake[key]) for key, row in source.items() if key in lake and row != lake[key]
    }
    found = [
        *(f"{key}: missing" for key in missing),
        *(f"{key}: extra" for key in extra),
        *(f"{key}: {', '.join(names)}" for key, names in changed.items()),
    ]
    return TableDifference(
        table=table,
        source_rows=len(source),
        lake_rows=lake_rows,
        missing=len(missing),
        extra=len(extra) + lake_rows - len(lake),
        changed=len(changed),
        sample=tuple(found[:SAMPLE_KEYS]),
    )


def source_rows(dsn: str, contract: TableContract) -> Iterator[Row]:
    """The table's rows, columns and types as in the contract; streamed by a cursor of the server."""
    import psycopg
    from psycopg import sql

    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(_source_value(column) for column in contract.columns),
        sql.Identifier("public", contract.name),
    )
    with psycopg.connect(dsn, options="-c timezone=UTC") as connection:
        connection.read_only = True
        with connection.cursor(name="reconciliation") as cursor:
            cursor.itersize = FETCH_ROWS
            yield from cursor.execute(query)


def lake_rows(lake: str | Path, contract: TableContract) -> Iterable[Row]:
    """The lake's rows of the database, in one snapshot."""
    from sqlglot import exp

    from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery

    query = exp.select(*(exp.column(column.name, quoted=True) for column in contract.columns)).from_(
        exp.table_(contract.name, db=LAKE_SCHEMA, quoted=True)
    )
    if contract.has_two_systems:
        query = query.where(exp.column(SOURCE_SYSTEM).eq(str(SourceSystem.DATABASE)))
    return LakeQuery(lake).run(query.sql(dialect="athena")).rows()


def _source_value(column: Column) -> sql.Composable:
    from psycopg import sql

    name = sql.Identifier(column.name)
    return sql.SQL("{}::numeric").format(name) if column.source_type == "MONEY" else name


def _changed(columns: list[str], source: Row, lake: Row) -> list[str]:
    return [name for name, left, right in zip(columns, source, lake, strict=True) if left != right]
