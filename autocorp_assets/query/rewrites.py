"""Where sqlglot's translation from Athena to DuckDB would give other values, the tree is changed first."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from autocorp_assets.contracts import TABLES
from autocorp_assets.query.errors import QueryError

DATE_COLUMNS = frozenset(
    column.name for table in TABLES.values() for column in table.lake_columns if column.type == "date"
)
DATE_UNITS = frozenset({"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"})

STRFTIME_BY_JODA = {
    "yyyy": "%Y",
    "yy": "%y",
    "y": "%Y",
    "xxxx": "%G",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%-m",
    "ww": "%V",
    "DDD": "%j",
    "D": "%-j",
    "dd": "%d",
    "d": "%-d",
    "EEEE": "%A",
    "EEE": "%a",
    "E": "%a",
    "e": "%u",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "m": "%-M",
    "ss": "%S",
    "s": "%-S",
    "SSS": "%g",
    "SSSSSS": "%f",
    "a": "%p",
    "Z": "%z",
}
"""Trino's format_datetime and parse_datetime take Joda-Time patterns."""
_JODA_TOKEN = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<text>.)")


def rewrite(tree: exp.Expr) -> exp.Expr:
    """A copy of Athena's tree from which sqlglot generates DuckDB's SQL with Athena's meaning.

    Raises:
        QueryError: a format that DuckDB has no equal of.
    """
    # One root above the query, so that every node of it can be replaced.
    root = exp.Paren(this=tree.copy())
    # Innermost first: a rewritten operand tells the outer node its type.
    for node in reversed(list(root.this.walk(bfs=True))):
        change = _CHANGES.get(type(node))
        if change is not None:
            node.replace(change(node.copy()))
    return root.this


def _at_time_zone(node: exp.Expr) -> exp.Expr:
    """Trino takes a time without zone as the session's (UTC) and shows it in another zone.

    DuckDB would take it as a time of that other zone. The instant stays the same through a chain of
    zones, so the last one counts.
    """
    instant = node.this
    while isinstance(instant, exp.AtTimeZone):
        instant = instant.this
    return exp.AtTimeZone(this=exp.Paren(this=exp.cast(instant, "timestamptz")), zone=node.args["zone"])


def _date_diff(node: exp.Expr) -> exp.Expr:
    """Trino counts whole units; DuckDB's date_diff counts the boundaries between, its date_sub whole units."""
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    return exp.Anonymous(this="date_sub", expressions=[unit, node.args["expression"], node.this])


def _extract(node: exp.Expr) -> exp.Expr:
    """Trino's day of the week is ISO's, 1 for Monday to 7."""
    if node.name.upper() in ("DOW", "DAY_OF_WEEK"):
        node.set("this", exp.var("ISODOW"))
    return node


def _slice(node: exp.Expr) -> exp.Expr:
    """Trino gives start and length, DuckDB wants start and end."""
    after = exp.Add(this=node.args["start"].copy(), expression=exp.paren(node.args["end"]))
    node.set("end", exp.Sub(this=after, expression=exp.Literal.number(1)))
    return node


def _regexp_replace(node: exp.Expr) -> exp.Expr:
    """Groups are `$1` in Trino, `\\1` in DuckDB."""
    replacement = node.args.get("replacement")
    if isinstance(replacement, exp.Literal):
        node.set("replacement", exp.Literal.string(re.sub(r"\$(\d)", r"\\\1", replacement.name)))
    return node


def _printf(node: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="printf", expressions=[node.this, *node.expressions])


def _function(node: exp.Expr) -> exp.Expr:
    """Functions that sqlglot has no name for."""
    match node.name.lower(), node.expressions:
        case "format_datetime", [time, pattern]:
            return exp.Anonymous(this="strftime", expressions=[time, _strftime_format(pattern)])
        case "to_iso8601", [time]:
            pattern = "%Y-%m-%d" if is_date(time) else "%Y-%m-%dT%H:%M:%S.%g"
            return exp.Anonymous(this="strftime", expressions=[time, exp.Literal.string(pattern)])
    return node


def _parse_datetime(node: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="strptime", expressions=[node.this, _strftime_format(node.args["format"])])


def _strftime_format(pattern: exp.Expr) -> exp.Literal:
    if not isinstance(pattern, exp.Literal):
        message = "the format of format_datetime and parse_datetime must be written out as text"
        raise QueryError(message)
    converted = []
    for token in _JODA_TOKEN.finditer(pattern.name):
        if letters := token["letters"]:
            if letters not in STRFTIME_BY_JODA:
                message = f"{letters!r} in the format {pattern.name!r} is not available here; use date_format"
                raise QueryError(message)
            converted.append(STRFTIME_BY_JODA[letters])
        else:
            text = token["text"] if token["quoted"] is None else token["quoted"].replace("''", "'") or "'"
            converted.append(text.replace("%", "%%"))
    return exp.Literal.string("".join(converted))


def _text_of_json(node: exp.Expr) -> exp.Expr:
    """CAST(json AS VARCHAR) is the value of a JSON string, not its quoted form."""
    if isinstance(node.this, exp.JSONExtract) and node.args["to"].is_type(*exp.DataType.TEXT_TYPES):
        return exp.JSONExtractScalar(this=node.this.this, expression=node.this.expression)
    return node


def _approx_distinct(node: exp.Expr) -> exp.Expr:
    """DuckDB's estimate has one accuracy."""
    node.set("accuracy", None)
    return node


def _reduce(node: exp.Expr) -> exp.Expr:
    """DuckDB's has no last step; one that changes nothing can go."""
    finish = node.args.get("finish")
    if isinstance(finish, exp.Lambda) and [finish.this] == finish.expressions:
        node.set("finish", None)
    return node


def _date_stays_date(node: exp.Expr) -> exp.Expr:
    """DuckDB makes a timestamp of a date plus days, or cut to its month; in Trino it stays a date."""
    return exp.cast(node, "date") if is_date(node) else node


def _sequence(node: exp.Expr) -> exp.Expr:
    """Dates go by days unless told otherwise, and stay dates."""
    if not is_date(node.args["start"]):
        return node
    if node.args.get("step") is None:
        node.set("step", exp.Interval(this=exp.Literal.string("1"), unit=exp.var("DAY")))
    return exp.cast(node, exp.DataType.build("DATE[]", dialect="duckdb"))


def is_date(node: exp.Expr | None) -> bool:
    """Whether an expression is a date, as far as that shows without knowing the types of all columns."""
    match node:
        case exp.Cast():
            return node.args["to"].is_type("date")
        case exp.Column():
            return node.name.lower() in DATE_COLUMNS
        case exp.DateAdd() | exp.TimestampTrunc() | exp.DateTrunc():
            return is_date(node.this) and _goes_by_days(node)
        case exp.Add() | exp.Sub():
            return is_date(node.this) and isinstance(node.expression, exp.Interval) and _goes_by_days(node.expression)
        case exp.Paren():
            return is_date(node.this)
    return isinstance(node, (exp.CurrentDate, exp.Date, exp.LastDay))


def _goes_by_days(node: exp.Expr) -> bool:
    return node.text("unit").upper() in DATE_UNITS


_CHANGES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Add: _date_stays_date,
    exp.Anonymous: _function,
    exp.ApproxDistinct: _approx_distinct,
    exp.ArraySlice: _slice,
    exp.AtTimeZone: _at_time_zone,
    exp.Cast: _text_of_json,
    exp.DateAdd: _date_stays_date,
    exp.DateDiff: _date_diff,
    exp.DateTrunc: _date_stays_date,
    exp.Extract: _extract,
    exp.Format: _printf,
    exp.GenerateSeries: _sequence,
    exp.ParseDatetime: _parse_datetime,
    exp.Reduce: _reduce,
    exp.RegexpReplace: _regexp_replace,
    exp.Sub: _date_stays_date,
    exp.TimestampTrunc: _date_stays_date,
}
