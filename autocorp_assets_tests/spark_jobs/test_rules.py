"""A contract's rule means the same to Spark and to Pandera: both judge the same rows alike."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from autocorp_assets.checks.schemas import polars_type, row_rules
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import SOURCE_SYSTEM, SourceSystem, TableContract, Unique
from spark_jobs.rules import broken_rules

pytestmark = pytest.mark.spark

DELIVERED = datetime(2024, 11, 21, 12, tzinfo=UTC)
TELLING_VALUES = {
    "int": [None, -1, 0, 1, 2_147_483_647],
    "string": [
        None, "", " ", "x", "INV-2024-000001", "INV-2024-000001\n", "inv-2024-1", "Credit", "credit", "Parts", "Brakes",
        "a@b.c", "a@b", "a b@c.d", "Zoë@example.com", "\U0001f600", "csv",
    ],
    "date": [None, date(2021, 6, 6), date(2024, 11, 22)],
    "timestamp": [
        None,
        datetime(2021, 6, 6, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2021, 6, 7, tzinfo=UTC),
        datetime(2024, 11, 21, 23, 59, 59, tzinfo=UTC),
        datetime(2024, 11, 22, tzinfo=UTC),
    ],
    "decimal": [None, Decimal("-0.01"), Decimal("0.00"), Decimal("1.00"), Decimal("1.01"), Decimal("99.99")],
}  # fmt: skip


def telling_rows(contract: TableContract) -> pl.DataFrame:
    """Rows in each of which one column has a telling value and the others one that goes with it or none."""
    rows = []
    for column in contract.columns:
        for value in TELLING_VALUES[column.type.split("(")[0]]:
            base = {"subtotal": Decimal("1.00"), "tax": Decimal("0.01"), "total_amount": Decimal("1.01")}
            row = {name: base.get(name) for name in contract.column_by_name}
            rows.append({**row, column.name: value, "changed_at": DELIVERED, SOURCE_SYSTEM: str(SourceSystem.DATABASE)})
    types = {column.name: polars_type(column) for column in contract.columns}
    return pl.DataFrame(rows, schema={**types, "changed_at": pl.Datetime("us", "UTC"), SOURCE_SYSTEM: pl.String})


@pytest.mark.parametrize("contract", TABLES.values(), ids=TABLES)
def test_spark_and_pandera_judge_the_same_rows_alike(contract, spark, tmp_path):
    from pyspark.sql import functions as F

    rows = telling_rows(contract)
    rows.write_parquet(tmp_path / "rows.parquet")
    frame = spark.read.parquet(str(tmp_path / "rows.parquet")).select(
        *(F.col(column.name).cast(column.type) for column in contract.columns), "changed_at"
    )
    rules = dict(broken_rules(contract, contract.columns, F.to_date("changed_at")))
    by_spark = frame.select(*(F.coalesce(broken, F.lit(False)) for broken in rules.values())).collect()

    not_for_a_row = {f"{', '.join(rule.columns)}: unique" for rule in contract.rules if isinstance(rule, Unique)}
    passes = row_rules(contract, frozenset(rows.columns))
    lineage = {name for name in passes if name.split(":")[0] not in contract.column_by_name}
    by_pandera = rows.select(**{name: passes[name].not_() for name in rules})

    assert set(rules) == set(passes) - not_for_a_row - lineage
    for position, name in enumerate(rules):
        assert [row[position] for row in by_spark] == by_pandera[name].to_list(), name
        assert by_pandera[name].any(), f"no row breaks {name}"
