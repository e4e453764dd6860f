"""The contracts' rules as Spark expressions: each gives true where a row breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from pyspark.sql import Column as Expression
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import (
    REQUIRED,
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
            yield f"{column.name}: {REQUIRED}", value.isNull()
        for rule in column.rules:
            yield f"{column.name}: {rule.label}", _breaks(rule, value, delivered_on)
    names = {column.name for column in columns}
    for rule in contract.rules:
        if isinstance(rule, SumsTo) and names.issuperset({rule.total, *rule.parts}):
            total = reduce(lambda left, right: left + right, (F.col(part) for part in rule.parts))
            yield f"{rule.total}: {rule.label}", F.col(rule.total) != total


def _breaks(rule: ColumnRule, value: Expression, delivered_on: Expression) -> Expression:
    match rule:
        case Between(low, high):
            below = F.lit(False) if low is None else value < low
            above = F.lit(False) if high is None else value > high
            return below | above
        case OneOf(values):
            return ~value.isin(*values)
        case Matches(pattern):
            return ~value.rlike(rf"\A(?:{pattern})\z")
        case NotBefore(day):
            return value < F.to_date(F.lit(day))
        case NotAfterDelivery():
            return F.to_date(value) > delivered_on
