"""`autocorp query`: Athena's SQL on the lake, now or as it was."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from autocorp_assets.cli.tables import printable
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.query.result import QueryResult

app = typer.Typer()
TABLE_ROWS = 100
WIDEST = 100_000
"""Characters of a line that is not for a terminal."""
NUMERIC_TYPES = ("INTEGER", "BIGINT", "SMALLINT", "TINYINT", "DECIMAL", "DOUBLE", "FLOAT", "REAL")
"""Beginnings of DuckDB's and Athena's names."""
EXAMPLES = """
Tables and views: autocorp query "SHOW TABLES"

Columns: autocorp query "DESCRIBE sales_order"

As it was: autocorp query "SELECT count(*) FROM auto_parts" --as-of yesterday

A saved question: autocorp query @queries/questions/customers_by_state.sql

A file for a spreadsheet: autocorp query "SELECT * FROM v_sales_order_summary" --format csv > orders.csv
"""


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.command(epilog=EXAMPLES)
def query(
    sql: Annotated[str, typer.Argument(help="One query in Athena's SQL; @file.sql reads it from a file, - stdin.")],
    *,
    as_of: Annotated[
        str | None,
        typer.Option(help="Read every table as it was: ISO date or time (UTC), yesterday, or such as '2 hours ago'."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="csv and json are always complete.")] = Format.TABLE,
    limit: Annotated[int, typer.Option(min=0, help="Rows that a table shows; 0 for all.")] = TABLE_ROWS,
) -> None:
    """Run one query on the lake; it can only read.

    Tables are in database autocorp, with the columns of their contracts.

    Database autocorp_lake has them with where each row comes from.

    Times are UTC. In json, decimals are text, so that no digit is lost.
    """
    from autocorp_assets.query.moments import parse_moment

    settings = Settings()
    _refuse_empty_lake(settings.lake)
    moment = None if as_of is None else parse_moment(as_of, now=datetime.now(UTC))
    if moment is not None:
        _note(f"as of {moment:%Y-%m-%d %H:%M:%S} UTC")
    result = _answer(settings, _sql(sql), moment)
    for name in result.absent:
        _note(f"{name} {'did not exist then' if moment else 'does not exist yet'}; it is read as empty")
    if output is Format.TABLE:
        _print_table(result, limit)
    else:
        WRITERS[output](result, sys.stdout)
    if result.scan is not None:
        _note(f"{data_size(result.scan.bytes)} scanned, about {result.scan.dollars:.5f} USD")


def _answer(settings: Settings, sql: str, moment: datetime | None) -> QueryResult:
    if moment is None:
        from autocorp_assets.deployments.query import deployment_query

        return deployment_query(settings).run(sql)
    # In every deployment: Athena has no time travel for Delta tables.
    from autocorp_assets.query.engine import LakeQuery

    return LakeQuery(settings.lake).run(sql, as_of=moment)


def data_size(count: int) -> str:
    """Bytes in the unit that a price is per, or one a thousand times smaller, …"""
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:,.0f} B" if units[0] == "B" else f"{size:,.1f} {units[0]}"


def _sql(argument: str) -> str:
    from autocorp_assets.query.errors import QueryError

    if argument == "-":
        return sys.stdin.read()
    if not argument.startswith("@"):
        return argument
    try:
        return Path(argument[1:]).read_text("utf-8")
    except OSError as error:
        message = f"{argument[1:]} cannot be read: {error.strerror}"
        raise QueryError(message) from error


def _refuse_empty_lake(lake: Path | str) -> None:
    from autocorp_assets.query.errors import QueryError

    if isinstance(lake, Path) and not any((lake / "curated").glob("*/*")):
        message = f"nothing has been curated yet below {lake}: run `autocorp sync`, then ask again"
        raise QueryError(message)


def _note(text: str) -> None:
    typer.echo(text, err=True)


def write_csv(result: QueryResult, to: TextIO) -> None:
    """Header and rows; NULL is empty, times are `2024-01-31 10:00:00`, lists and maps JSON."""
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows([_flat(value) for value in row] for row in result.rows())


def write_json(result: QueryResult, to: TextIO) -> None:
    """A list of objects, one a row and one a line; decimals are text, times ISO 8601.

    Raises:
        QueryError: two columns have one name, of which an object could hold only the second.
    """
    from autocorp_assets.query.errors import QueryError

    if twice := [name for name, times in Counter(result.columns).items() if times > 1]:
        message = f"more than one column is called {', '.join(twice)}: give each a name of its own (AS …) for json"
        raise QueryError(message)
    objects = (json.dumps(dict(zip(result.columns, row, strict=True)), default=_plain) for row in result.rows())
    to.write("[")
    to.writelines(f"{',' if index else ''}\n  {text}" for index, text in enumerate(objects))
    to.write("\n]\n" if result.table.num_rows else "]\n")


WRITERS: dict[Format, Callable[[QueryResult, TextIO], None]] = {Format.CSV: write_csv, Format.JSON: write_json}


def _print_table(result: QueryResult, limit: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name, kind in zip(result.columns, result.types, strict=True):
        is_number = kind.upper().startswith(NUMERIC_TYPES) and not kind.endswith("]")
        table.add_column(Text(printable(name)), justify="right" if is_number else "left", overflow="fold")
    for row in islice(result.rows(), limit or None):
        table.add_row(*(Text("NULL", "dim") if value is None else Text(printable(_flat(value))) for value in row))
    # Whoever reads it from a file or a pipe wants whole values, not a guess of 80 columns.
    width = None if sys.stdout.isatty() else WIDEST
    Console(width=width).print(table)
    total = result.table.num_rows
    shown = min(total, limit) if limit else total
    count = f"{total:,} row{'' if total == 1 else 's'}"
    more = f"; the first {shown:,} are shown, --limit 0 shows all" if shown < total else ""
    _note(f"{count} in {result.seconds:.1f} s{more}")


def _flat(value: Any) -> str:
    """A value in one cell."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list() | dict() | tuple():
            return json.dumps(value, default=_plain)
        case datetime():
            return value.isoformat(sep=" ")
        case Decimal():
            return f"{value:f}"
    return str(value)


def _plain(value: object) -> str:
    """What JSON has no type for, as text."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.hex()
    return str(value)
