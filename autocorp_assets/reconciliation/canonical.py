"""One text for a value and one number for a row, the same from PostgreSQL and from DuckDB.

Two systems can compare millions of rows without moving them only if both make the same of a row. The
table `TEXT` is all that a type needs for that; texts of the column types other than string hold
neither a comma nor are they ever empty, so that a row's cells cannot run into each other, and a
string carries its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from autocorp_assets.contracts.model import Column

if TYPE_CHECKING:
    from psycopg import sql

CHECKSUM_DIGITS = 15
"""Of MD5's 32: 60 bits stay positive in a bigint of either engine, whose sums are wider."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """SQL for the text of a value; `{0}` is the column."""

    postgres: LiteralString
    """For a session with DateStyle ISO, TimeZone UTC and lc_monetary C. Raises for no value of the type."""
    duckdb: str


PLAIN = Text(postgres="{0}::text", duckdb="{0}::VARCHAR")
TEXT: dict[str, Text] = {
    "int": PLAIN,
    "string": PLAIN,
    # Both write ISO 8601 with as many digits of a second as are not zero. Infinity and years beyond 9999 or
    # before Christ are told otherwise by DuckDB: the lake cannot hold them.
    "date": PLAIN,
    "timestamp": PLAIN,
    # The source's scale may be another than the lake's: only digits that count are compared. Takes MONEY and NaN.
    "decimal": Text(
        postgres="trim_scale({0}::numeric)::text",
        duckdb=r"regexp_replace({0}::VARCHAR, '\.?0+$', '')",
    ),
    "whole decimal": Text(postgres="trim_scale({0}::numeric)::text", duckdb="{0}::VARCHAR"),
}


def text_of(column: Column) -> Text:
    if column.decimal_scale is None:
        return TEXT[column.type]
    return TEXT["decimal" if column.decimal_scale else "whole decimal"]


def postgres_value(column: Column) -> sql.Composed:
    """The value's text; NULL for NULL."""
    from psycopg import sql

    return sql.SQL(text_of(column).postgres).format(sql.Identifier(column.name))


def duckdb_value(column: Column) -> str:
    """The value's text; NULL for NULL."""
    return text_of(column).duckdb.format(duckdb_name(column.name))


def duckdb_name(name: str) -> str:
    """The name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def postgres_checksum(columns: Sequence[Column]) -> sql.Composed:
    """A bigint for a row's values, NULL told from an empty text."""
    from psycopg import sql

    cells = sql.SQL(", ").join(
        sql.SQL("concat(octet_length({0}), ':', {0})" if column.type == "string" else "concat({0}, ',')").format(
            postgres_value(column)
        )
        for column in columns
    )
    return sql.SQL("('x' || left(md5(concat({})), {}))::bit({})::bigint").format(
        cells, CHECKSUM_DIGITS, CHECKSUM_DIGITS * 4
    )


def duckdb_checksum(columns: Sequence[Column]) -> str:
    """What `postgres_checksum` gives, over the lake's rows."""
    cells = ", ".join(
        ("concat(strlen({0}), ':', {0})" if column.type == "string" else "concat({0}, ',')").format(
            duckdb_value(column)
        )
        for column in columns
    )
    return f"('0x' || left(md5(concat({cells})), {CHECKSUM_DIGITS}))::BIGINT"
