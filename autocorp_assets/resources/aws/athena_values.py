"""Athena's texts and our values: parameters on the way there, results on the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from autocorp_assets.query.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

_JAVA_FLOATS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
LONGEST_PARAMETER = 1024
"""Characters, by the service's model."""


def parameter(value: object) -> str:
    """A value as an execution parameter: Athena puts the text in place of a `?`, as SQL (EXECUTE … USING).

    So a string is quoted, its quotes doubled, and a typed literal names its type: `DATE '2024-01-31'`,
    `DECIMAL '1.50'`, `TIMESTAMP '2024-01-31 10:00:00.000000'` (UTC). Source: "Use execution parameters" and EXECUTE
    in the Athena user guide; literals in Trino's "Data types".

    Raises:
        QueryError: the value has a type that cannot be passed, or its text is too long.
    """
    text = _literal(value)
    if len(text) > LONGEST_PARAMETER:
        message = f"a parameter is {len(text):,} characters long: Athena takes {LONGEST_PARAMETER:,} at most"
        raise QueryError(message)
    return text


def _literal(value: object) -> str:  # noqa: PLR0911 one for each type
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(value).lower()
        case float():
            return f"DOUBLE '{_JAVA_FLOATS.get(repr(value), repr(value))}'"
        case Decimal():
            return f"DECIMAL '{value:f}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            utc = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
            return f"TIMESTAMP '{utc.isoformat(sep=' ', timespec='microseconds')}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case bytes():
            return f"X'{value.hex()}'"
    message = f"a value of type {type(value).__name__} cannot be a parameter of a query"
    raise QueryError(message)


def type_name(column: Mapping[str, Any]) -> str:
    """Athena's name of a result column's type, such as `decimal(10,2)`."""
    kind = column["Type"]
    return f"decimal({column['Precision']},{column['Scale']})" if kind == "decimal" else kind


def result_table(columns: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[str | None]]) -> pa.Table:
    """Rows of texts as typed columns; arrays, maps, rows and JSON stay the text that Athena gives."""
    import pyarrow as pa

    by_column = zip(*rows, strict=True) if rows else ((),) * len(columns)
    arrays = [_array(column, texts) for column, texts in zip(columns, by_column, strict=True)]
    return pa.Table.from_arrays(arrays, names=[column["Name"] for column in columns])


def _array(column: Mapping[str, Any], texts: Sequence[str | None]) -> pa.Array:
    read = _READERS.get(column["Type"], str)
    return _pyarrow_array([None if text is None else read(text) for text in texts], column)


def _pyarrow_array(values: list[Any], column: Mapping[str, Any]) -> pa.Array:
    import pyarrow as pa

    if column["Type"] == "decimal":
        return pa.array(values, pa.decimal128(column["Precision"], column["Scale"]))
    return pa.array(values, pa.type_for_alias(_ARROW_TYPES.get(column["Type"], "string")))


def _zoned(text: str) -> datetime:
    """The instant in UTC of such as `2024-01-31 10:00:00.000 America/Chicago` or `… +01:00`."""
    moment, _, zone = text.rpartition(" ")
    is_offset = zone.startswith(("+", "-"))
    instant = datetime.fromisoformat(f"{moment}{zone if is_offset else ''}")
    return (instant if is_offset else instant.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC).replace(tzinfo=None)


_READERS: dict[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": Decimal,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamp with time zone": _zoned,
    "varbinary": bytes.fromhex,
}
"""By Athena's names of types; everything else is text."""
_ARROW_TYPES = {
    "boolean": "bool",
    "tinyint": "int8",
    "smallint": "int16",
    "integer": "int32",
    "int": "int32",
    "bigint": "int64",
    "float": "float",
    "real": "float",
    "double": "double",
    "date": "date32",
    "time": "time64[us]",
    "timestamp": "timestamp[us]",
    "timestamp with time zone": "timestamp[us]",
    "varbinary": "binary",
}
"""pyarrow's names."""
