"""Text and raw Parquet values to the types of the contract, without losing a digit in silence."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column as Expression
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import Column

_BLANKS = " \t\r\n\f\u00a0\u2007\u202f\u3000"
_GROUPED = r"^[+-]?\$?\d{1,3}(,\d{3})+(\.\d*)?$"
_NUMBER = r"^[+-]?\d+(\.\d*)?$"
_TIME = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?)?$"
_WIDEST = "decimal(38,10)"


@dataclass(frozen=True)
class Parsed:
    """A value of a CSV cell."""

    value: Expression
    """Of the column's type; NULL for an empty or malformed cell."""
    malformed: Expression
    """Whether there is text that the type cannot hold."""
    repairs: dict[str, Expression]
    """What was mended, and whether it was in this row."""


def trimmed(cell: Expression) -> Expression:
    """The cell without surrounding white space; empty is NULL."""
    text = F.btrim(cell, F.lit(_BLANKS))
    return F.when(text != "", text)


def parse(column: Column, cell: Expression) -> Parsed:
    """The expressions that read a cell of a CSV file as the contract's column."""
    text = trimmed(cell)
    repairs = {"white space trimmed": text.isNotNull() & (text != cell)}
    if column.type == "string":
        return Parsed(text, F.lit(False), repairs)
    if column.type in {"date", "timestamp"}:
        value = F.when(text.rlike(_TIME), text.cast(column.type))
        return Parsed(value, text.isNotNull() & value.isNull(), repairs)
    repairs["thousands commas removed"] = text.rlike(_GROUPED)
    repairs["leading $ removed"] = text.rlike(r"^[+-]?\$")
    number = F.when(text.rlike(_GROUPED), F.regexp_replace(text, ",", "")).otherwise(text)
    number = F.regexp_replace(number, r"^([+-]?)\$", "$1")
    exact = F.when(number.rlike(_NUMBER), number.cast(_WIDEST))
    value = exact.cast(column.type)
    return Parsed(F.when(value == exact, value), text.isNotNull() & ~F.coalesce(value == exact, F.lit(False)), repairs)


def fits(column: Column, raw: Expression, raw_type: str) -> tuple[Expression, Expression]:
    """(value in the contract's type, whether the raw value does not fit it) for a Parquet column."""
    value = raw.cast(column.type)
    if raw_type == column.type:
        return value, F.lit(False)
    lost = value.isNull()
    if column.decimal_scale is not None or column.type == "int":
        lost = lost | (value != raw)
    return value, raw.isNotNull() & lost
