"""Of every rule of every contract: a row that breaks it is found in the data, and rows that nobody read never pass.

What is judged here is derived from the contracts. A rule of a new kind has no row that breaks it yet, and fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from autocorp_assets.checks.order_arithmetic import ORDER_ARITHMETIC
from autocorp_assets.checks.references import REFERENCES
from autocorp_assets.checks.schemas import row_rules, schema, validate
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import (
    CHANGED_AT,
    REQUIRED,
    Between,
    Column,
    ColumnRule,
    Matches,
    NotAfterDelivery,
    NotBefore,
    OneOf,
    References,
    SumsLines,
    SumsTo,
    TableContract,
    Unique,
)
from autocorp_assets.definitions import defs
from autocorp_assets_tests.checks.conftest import frame

Row = dict[str, Any]
DAY = datetime(2024, 3, 5, tzinfo=UTC)
VALUES: Mapping[str, Any] = {"int": 1, "string": "x", "date": date(2024, 3, 5), "timestamp": DAY, "decimal": Decimal(2)}
"""That keep the rules of a column without rules, by type."""
FORMS = {r"[^@\s]+@[^@\s]+\.[^@\s]+": "ada@example.com", r"[A-Z]+-\d{4}-\d+": "INV-2024-1"}
"""A text of each form."""
KEEPING: Mapping[type, Callable[[Any], Any]] = {
    Between: lambda rule: 2 if rule.low is None else rule.low + 1,
    OneOf: lambda rule: rule.values[0],
    Matches: lambda rule: FORMS[rule.pattern],
    NotBefore: lambda _: DAY,
    NotAfterDelivery: lambda _: DAY,
}
BREAKING: Mapping[type, Callable[[Any], Any]] = {
    Between: lambda rule: rule.high + 1 if rule.low is None else rule.low - 1,
    OneOf: lambda _: "no such value",
    Matches: lambda rule: f"{FORMS[rule.pattern]}\n",
    NotBefore: lambda rule: datetime.fromisoformat(rule.day).replace(tzinfo=UTC) - timedelta(days=1),
    NotAfterDelivery: lambda _: DAY + timedelta(days=1),
}
WHOLE_TABLE: Mapping[type, str] = {References: REFERENCES, SumsLines: ORDER_ARITHMETIC}
"""Kinds of rules that no row breaks by itself, and the check that judges them."""
REQUIRED_SYSTEM = {"source_system": "db"}


def good_row(contract: TableContract) -> Row:
    row = {column.name: _good(column) for column in contract.lake_columns} | {CHANGED_AT: DAY}
    for rule in contract.rules:
        if isinstance(rule, SumsTo):
            row[rule.total] = sum((row[part] for part in rule.parts), Decimal())
    return {name: value for name, value in row.items() if name in {column.name for column in contract.lake_columns}}


def _good(column: Column) -> Any:
    values = [KEEPING[type(rule)](rule) for rule in column.rules]
    if column.name in REQUIRED_SYSTEM:
        return REQUIRED_SYSTEM[column.name]
    return values[0] if values else VALUES[column.type.split("(")[0]]


def broken_rows(contract: TableContract) -> Iterator[tuple[str, list[Row]]]:
    """For each rule of rows, by its name in reports, rows of which some break it."""
    good = good_row(contract)
    for column in contract.lake_columns:
        if column.required:
            yield f"{column.name}: {REQUIRED}", [{**good, column.name: None}]
        for rule in column.rules:
            yield f"{column.name}: {rule.label}", [{**good, column.name: _breaking(rule)}]
    for rule in contract.rules:
        match rule:
            case SumsTo(total=total):
                yield f"{total}: {rule.label}", [{**good, total: good[total] + Decimal("0.01")}]
            case Unique(columns=columns):
                yield f"{', '.join(columns)}: unique", [good, good]
            case _:
                assert type(rule) in WHOLE_TABLE, f"{rule}: what breaks it?"


def _breaking(rule: ColumnRule) -> Any:
    return BREAKING[type(rule)](rule)


CASES = [
    pytest.param(contract, name, rows, id=f"{contract.name}: {name}")
    for contract in TABLES.values()
    for name, rows in broken_rows(contract)
]


@pytest.mark.parametrize(("contract", "rule", "rows"), CASES)
def test_a_row_that_breaks_a_rule_is_found_and_one_that_was_not_read_does_not_pass(contract, rule, rows):
    broken = frame(contract, *rows)

    assert validate(frame(contract, good_row(contract)), contract).passed
    assert validate(broken, contract).failures[rule] == len(rows)
    with pytest.raises(TypeError, match="collected"):
        validate(broken.lazy(), contract)  # ty: ignore[invalid-argument-type]


@pytest.mark.parametrize("contract", TABLES.values(), ids=TABLES)
def test_every_rule_of_a_contract_has_such_a_row_and_is_in_the_schema(contract):
    columns = frozenset(column.name for column in contract.lake_columns)
    proven = [name for name, _ in broken_rows(contract)]

    assert sorted(proven) == sorted(row_rules(contract, columns))
    assert sorted(proven) == sorted(str(check.name) for check in schema(contract, columns).checks or ())


@pytest.mark.parametrize("contract", TABLES.values(), ids=TABLES)
def test_a_column_of_another_type_is_found_whatever_its_values(contract):
    good = frame(contract, good_row(contract))
    for column in contract.lake_columns:
        other = pl.lit(value=True).alias(column.name)

        assert validate(good.with_columns(other), contract).failures[f"{column.name}: type"] == 1


def test_rules_over_whole_tables_have_their_check():
    checks = {(key.asset_key.path[-1], key.name) for key in defs.resolve_asset_graph().asset_check_keys}
    needed = {
        (contract.name, WHOLE_TABLE[type(rule)])
        for contract in TABLES.values()
        for rule in contract.rules
        if type(rule) in WHOLE_TABLE
    }

    assert needed
    assert needed <= checks
