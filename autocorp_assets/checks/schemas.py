"""A contract as a Pandera schema, and what it makes of some rows.

Rules are polars expressions that say of each row whether it passes; Pandera runs them and collects
what fails. Frames are eager: Pandera passes a LazyFrame without looking at its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from autocorp_assets.contracts.model import (
    CHANGED_AT,
    RAW_FILE,
    REQUIRED,
    SOURCE_SYSTEM,
    Between,
    Column,
    Matches,
    NotAfterDelivery,
    NotBefore,
    OneOf,
    SourceSystem,
    SumsTo,
    TableContract,
    Unique,
)

PERSONAL = "(personal, not shown)"
SAMPLE_ROWS = 20
SAMPLE_ROWS_OF_A_RULE = 5

POLARS_TYPES: Mapping[str, pl.DataType] = {
    "int": pl.Int32(),
    "string": pl.String(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a schema made of a frame."""

    rows: int
    failures: Mapping[str, int]
    """Rows that fail, by rule; a rule that no row fails is left out."""
    sample: pl.DataFrame
    """At most SAMPLE_ROWS failing rows: the rule, the key, the values that the rule is about, and the file."""

    @property
    def passed(self) -> bool:
        return not self.failures


def polars_type(column: Column) -> pl.DataType:
    """The type that a column of the lake has in polars."""
    if column.type.startswith("decimal"):
        precision, scale = column.type.removeprefix("decimal(").removesuffix(")").split(",")
        return pl.Decimal(int(precision), int(scale))
    return POLARS_TYPES[column.type]


def schema(contract: TableContract, columns: frozenset[str], *, across_rows: bool = True) -> pa.DataFrameSchema:
    """The contract's types and row rules, for a frame that has these columns.

    Columns that the contract does not name are allowed, and ones that the frame lacks are not
    judged: both are what the schema check of the raw zone reports.

    Args:
        contract: the table.
        columns: of the frame.
        across_rows: also the rules that compare rows with each other.
    """
    judged = {column.name: column for column in contract.lake_columns if column.name in columns}
    return pa.DataFrameSchema(
        columns={
            name: pa.Column(polars_type(column), nullable=True, required=False) for name, column in judged.items()
        },
        checks=[
            pa.Check(_row_check(expression), name=rule, ignore_na=False)
            for rule, expression in row_rules(contract, columns, across_rows=across_rows).items()
        ],
        name=contract.name,
    )


def row_rules(contract: TableContract, columns: frozenset[str], *, across_rows: bool = True) -> dict[str, pl.Expr]:
    """For each rule that can be judged on these columns, whether a row passes it; never null."""
    rules = {
        f"{column.name}: {REQUIRED}": _required(column, contract)
        for column in contract.lake_columns
        if column.required and column.name in columns
    }
    for column in contract.lake_columns:
        for rule in column.rules:
            needed = {column.name, CHANGED_AT} if isinstance(rule, NotAfterDelivery) else {column.name}
            if needed <= columns:
                rules[f"{column.name}: {rule.label}"] = COLUMN_RULES[type(rule)](rule, pl.col(column.name))
    for rule in contract.rules:
        if isinstance(rule, SumsTo) and {rule.total, *rule.parts} <= columns:
            rules[f"{rule.total}: {rule.label}"] = _sums_to(rule)
        elif across_rows and isinstance(rule, Unique) and set(rule.columns) <= columns:
            rules[f"{', '.join(rule.columns)}: unique"] = _unique(rule, contract)
    # A rule has nothing to say about a value that is not there.
    return {name: expression.fill_null(value=True) for name, expression in rules.items()}


def validate(frame: pl.DataFrame, contract: TableContract, *, across_rows: bool = True) -> Outcome:
    """Judge rows by the contract.

    Args:
        frame: rows with the table's columns, or some of them.
        contract: the table.
        across_rows: also the rules that compare rows with each other, which a part of a table may only seem to keep.

    Raises:
        TypeError: the frame is lazy, or something else than a frame.
    """
    if not isinstance(frame, pl.DataFrame):
        message = f"{contract.name}: rows to be judged must be a collected polars DataFrame, not {type(frame).__name__}"
        raise TypeError(message)
    try:
        schema(contract, frozenset(frame.columns), across_rows=across_rows).validate(frame, lazy=True)
    except SchemaErrors as errors:
        return _outcome(frame, contract, errors.failure_cases)
    return Outcome(rows=frame.height, failures={}, sample=pl.DataFrame())


def bounded(samples: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Of several samples as much as one may hold."""
    if not samples:
        return pl.DataFrame()
    rows = pl.concat(samples)
    return rows.filter(pl.int_range(pl.len()).over("rule") < SAMPLE_ROWS_OF_A_RULE).head(SAMPLE_ROWS)


def _outcome(frame: pl.DataFrame, contract: TableContract, cases: pl.DataFrame) -> Outcome:
    """Pandera's failure cases, without the values in them: those may be personal."""
    columns = frozenset(frame.columns)
    by_rule = cases.select(
        rule=pl.when(pl.col("schema_context") == "Column")
        .then(pl.col("column") + ": type")
        .otherwise(pl.col("check").cast(pl.String)),
        row=pl.col("index").cast(pl.UInt32),
    ).unique(maintain_order=True)
    counts = by_rule.group_by("rule", maintain_order=True).len()
    failing = bounded([by_rule.drop_nulls("row")])
    rows = frame[failing["row"].to_list()]
    about = {rule: _columns_of(expression) for rule, expression in row_rules(contract, columns).items()}
    told = [
        _told(row, about.get(rule, (rule.split(":")[0],)), contract)
        for rule, row in zip(failing["rule"], rows.iter_rows(named=True), strict=True)
    ]
    # The file last: it is long, and what is right of it may be off the screen.
    shown = [name for name in (contract.record_key, "values", RAW_FILE) if name in (*frame.columns, "values")]
    named = rows.with_columns(failing["rule"], pl.Series("values", told, pl.String))
    sample = named.select("rule", *shown)
    return Outcome(rows=frame.height, failures=dict(counts.iter_rows()), sample=sample)


def _columns_of(rule: pl.Expr) -> list[str]:
    """The columns that a rule looks at, but for those that say where its row came from."""
    return [name for name in dict.fromkeys(rule.meta.root_names()) if name != SOURCE_SYSTEM]


def _told(row: Mapping[str, object], columns: Sequence[str], contract: TableContract) -> str:
    """The values of these columns, but for personal ones."""
    personal = {column.name for column in contract.lake_columns if column.personal}
    return ", ".join(
        f"{name} = {PERSONAL if name in personal else 'NULL' if row[name] is None else row[name]}"
        for name in columns
        if name in row
    )


def _row_check(expression: pl.Expr) -> Callable[[pa.PolarsData], pl.LazyFrame]:
    return lambda data: data.lazyframe.select(expression)


def _required(column: Column, contract: TableContract) -> pl.Expr:
    """Not null, where the row's source system has the column at all."""
    present = pl.col(column.name).is_not_null()
    feed = contract.csv_feed
    if feed is None or column not in contract.columns or column.name in feed.table_column.values():
        return present
    return present | (pl.col(SOURCE_SYSTEM) == str(SourceSystem.CSV))


def _between(rule: Between, value: pl.Expr) -> pl.Expr:
    low = pl.lit(value=True) if rule.low is None else value >= rule.low
    high = pl.lit(value=True) if rule.high is None else value <= rule.high
    return low & high


def _one_of(rule: OneOf, value: pl.Expr) -> pl.Expr:
    return value.is_in(rule.values)


def _matches(rule: Matches, value: pl.Expr) -> pl.Expr:
    return value.str.contains(rf"\A(?:{rule.pattern})\z")


def _not_before(rule: NotBefore, value: pl.Expr) -> pl.Expr:
    return value.cast(pl.Date) >= pl.lit(rule.day).str.to_date()


def _not_after_delivery(_: NotAfterDelivery, value: pl.Expr) -> pl.Expr:
    return value.cast(pl.Date) <= pl.col(CHANGED_AT).cast(pl.Date)


def _sums_to(rule: SumsTo) -> pl.Expr:
    parts = pl.col(rule.parts[0])
    for name in rule.parts[1:]:
        parts = parts + pl.col(name)
    return pl.col(rule.total) == parts


def _unique(rule: Unique, contract: TableContract) -> pl.Expr:
    """Within one source system, and only where every value is there."""
    key = [SOURCE_SYSTEM, *rule.columns] if contract.has_two_systems else list(rule.columns)
    complete = pl.all_horizontal(pl.col(rule.columns).is_not_null())
    return ~(pl.struct(key).is_duplicated() & complete)


COLUMN_RULES: Mapping[type, Callable[..., pl.Expr]] = {
    Between: _between,
    OneOf: _one_of,
    Matches: _matches,
    NotBefore: _not_before,
    NotAfterDelivery: _not_after_delivery,
}
