"""The contracts' rules as Spark expressions: each gives true where a row breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from pyspark.sql import Column as Expression
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import (
    Between,
    Column,
    ColumnRule,
    Matches,
    NotAfterDelivery,
    NotBefore,
    OneOf,
    SumsTo,
    TableContract,
)


def broken_rules(
    contract: TableContract, columns: tuple[Column, ...], delivered_on: Expression
) -> Iterator[tuple[str, Expression]]:
    """(name, broken) of every rule that one row can be judged by.

    Args:
        contract: the table.
        columns: those of its columns that the row's source delivers.
        delivered_on: date on which the row was delivered.
    """
    for column in columns:
        value = F.col(column.name)
        if column.required:
            yield f"{column.name}: required", value.isNull()
        for rule in column.rules:
            name, broken = _column_rule(rule, value, delivered_on)
            yield f"{column.name}: {name}", broken
    names = {column.name for column in columns}
    for rule in contract.rules:
        if isinstance(rule, SumsTo) and names.issuperset({rule.total, *rule.parts}):
            total = reduce(lambda left, right: left + right, (F.col(part) for part in rule.parts))
            yield f"{rule.total}: sum of {' and '.join(rule.parts)}", F.col(rule.total) != total


def _column_rule(rule: ColumnRule, value: Expression, delivered_on: Expression) -> tuple[str, Expression]:
    match rule:
        case Between(low, high):
            below = F.lit(False) if low is None else value < low
            above = F.lit(False) if high is None else value > high
            return f"between {'' if low is None else low} and {'' if high is None else high}", below | above
        case OneOf(values):
            return "one of the known values", ~value.isin(*values)
        case Matches(pattern):
            return "pattern", ~value.rlike(f"^(?:{pattern})$")
        case NotBefore(day):
            return f"not before {day}", value < F.to_date(F.lit(day))
        case NotAfterDelivery():
            return "not after its delivery", F.to_date(value) > delivered_on
