"""PostgreSQL's text output to Arrow, by the source's type, as AWS DMS maps types to Parquet.

Text that the Arrow type cannot hold (NaN, infinity, dates BC or after 9999) becomes NULL, and the text itself is
handed back, for the raw file's extension column: nothing is rounded, clamped or lost.
"""

from __future__ import annotations

import re

import pyarrow as pa

# Object identifiers of built-in types; they never change (PostgreSQL, catalog/pg_type.dat).
BOOLEAN, MONEY, NUMERIC = 16, 790, 1700
_ARROW_BY_OID = {
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    MONEY: pa.decimal128(38, 4),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
}
_UNBOUNDED_NUMERIC = pa.decimal128(28, 6)
_BOOLEAN_TEXT = {"t": "true", "f": "false"}
_MONEY_TEXT = re.compile(r"(?P<minus>-|\()?\$?(?P<digits>[0-9,]+(\.[0-9]+)?)\)?")


def arrow_type(type_oid: int, type_modifier: int) -> pa.DataType:
    """Type of the column in raw files; text for every type that DMS would not carry as another."""
    if type_oid == NUMERIC:
        return _decimal(type_modifier)
    return _ARROW_BY_OID.get(type_oid, pa.string())


def to_arrow(text: pa.Array, *, type_oid: int, type_modifier: int) -> tuple[pa.Array, dict[int, str]]:
    """The values of one column, and the text of those that its type cannot hold, by position."""
    target = arrow_type(type_oid, type_modifier)
    if type_oid == BOOLEAN:
        return pa.array([_BOOLEAN_TEXT.get(value) for value in text.to_pylist()], target), {}
    if target == pa.string():
        return text, {}
    parts: list[pa.Array] = []
    refused: list[int] = []
    _cast(_plain_money(text) if type_oid == MONEY else text, target, 0, parts, refused)
    values = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
    return values, {position: text[position].as_py() for position in refused}


def _decimal(type_modifier: int) -> pa.DataType:
    """The modifier packs precision and an 11-bit signed scale, plus 4 (numeric.c, make_numeric_typmod)."""
    if type_modifier < 4:
        return _UNBOUNDED_NUMERIC
    precision = ((type_modifier - 4) >> 16) & 0xFFFF
    scale = (((type_modifier - 4) & 0x7FF) ^ 1024) - 1024
    return pa.decimal128(precision, scale) if precision <= 38 and 0 <= scale <= precision else pa.string()


def _plain_money(text: pa.Array) -> pa.Array:
    return pa.array([None if value is None else plain_money(value) for value in text.to_pylist()], pa.string())


def plain_money(text: str) -> str:
    """`$1,234.56`, `-$1.00` or `($1.00)` as a plain number; other text as it is, so that a cast refuses it."""
    match = _MONEY_TEXT.fullmatch(text)
    if match is None:
        return text
    return ("-" if match["minus"] else "") + match["digits"].replace(",", "")


def _cast(text: pa.Array, target: pa.DataType, at: int, parts: list[pa.Array], refused: list[int]) -> None:
    """Cast as few and as large pieces as possible: a value that the type refuses costs a bisection."""
    try:
        parts.append(text.cast(target))
    except pa.ArrowInvalid:
        if len(text) == 1:
            parts.append(pa.nulls(1, target))
            refused.append(at)
            return
        half = len(text) // 2
        _cast(text[:half], target, at, parts, refused)
        _cast(text[half:], target, at + half, parts, refused)
