"""Text and raw Parquet values to the types of the contract, without losing a digit in silence."""

from __future__ import annotations

from pyspark.sql import Column as Expression
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import Column
from autocorp_assets.contracts.raw_format import BLANKS, GROUPED_NUMBER, NUMBER
from spark_jobs.lake_types import widens

_TIME = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?)?$"
_WIDEST = "decimal(38,10)"


def trimmed(cell: Expression) -> Expression:
    """The cell without surrounding white space."""
    return F.btrim(cell, F.lit(BLANKS))


def plain_number(text: Expression) -> Expression:
    """A number's text without thousands commas and a leading $."""
    without_commas = F.when(text.rlike(GROUPED_NUMBER), F.regexp_replace(text, ",", "")).otherwise(text)
    return F.regexp_replace(without_commas, r"^([+-]?)\$", "$1")


def exact_value(column: Column, text: Expression) -> Expression:
    """The text's value in the widest type, so that `typed_value` can tell whether the column's holds it."""
    if column.type == "string":
        return F.when(text != "", text)
    if column.type in {"date", "timestamp"}:
        return F.when(text.rlike(_TIME), text.cast(column.type))
    return F.when(text.rlike(NUMBER), text.cast(_WIDEST))


def typed_value(column: Column, exact: Expression) -> Expression:
    """The value in the column's type; NULL where that would lose a digit."""
    if not is_number(column):
        return exact
    value = exact.cast(column.type)
    return F.when(value == exact, value)


def is_number(column: Column) -> bool:
    """Whether the column's cells may carry commas and a currency sign."""
    return column.type not in {"string", "date", "timestamp"}


def repairs(column: Column, cell: Expression, text: Expression) -> dict[str, Expression]:
    """What was mended in a cell, by name, and whether it was in this row."""
    found = {"white space trimmed": (text != cell) & (text != "")}
    if is_number(column):
        found["thousands commas removed"] = text.rlike(GROUPED_NUMBER)
        found["leading $ removed"] = text.rlike(r"^[+-]?\$")
    return found


def fits(wanted: str, raw: Expression, raw_type: str) -> tuple[Expression, Expression]:
    """(value in the wanted type, whether the raw value is lost in it), for types between which there is a route.

    What has no route is no matter of single values: see `lake_types.has_route`.
    """
    value = raw.cast(wanted)
    if widens(raw_type, wanted):
        return value, F.lit(False)
    return value, raw.isNotNull() & (value.isNull() | (value != raw))
