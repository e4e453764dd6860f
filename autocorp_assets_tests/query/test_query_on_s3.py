"""A lake in S3 answers queries and checks as the same lake in a folder does; DuckDB has no way to the network."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.snapshots import read_snapshot
from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery
from autocorp_assets_tests.fakes.s3_folder import upload
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

if TYPE_CHECKING:
    from autocorp_assets_tests.query.conftest import SmallLake

pytestmark = pytest.mark.aws

URL = f"s3://{LAKE_BUCKET}/lake"
PARTS = f"{URL}/{TABLES['auto_parts'].lake_path}"


@pytest.fixture
def parts(aws: FakeAws) -> LakeQuery:
    """auto_parts, whose first file was written before `price` was there, and which has a column of its own."""
    write_deltalake(PARTS, pa.table({"sku": ["OLD"], "vendor": ["ACME"]}))
    rows = {
        "sku": ["A", "B"],
        "vendor": ["ACME", None],
        "price": pa.array([Decimal("1.50"), Decimal("2.50")], pa.decimal128(10, 2)),
        "inventory_date": [date(2024, 1, 2), None],
        "loyalty": [7, None],
    }
    write_deltalake(PARTS, pa.table(rows), mode="append", schema_mode="merge")
    return LakeQuery(URL)


def test_a_column_that_older_files_lack_is_null(parts: LakeQuery):
    found = parts.run("SELECT sku, price, inventory_date FROM auto_parts ORDER BY sku")

    assert list(found.rows()) == [
        ("A", Decimal("1.50"), date(2024, 1, 2)),
        ("B", Decimal("2.50"), None),
        ("OLD", None, None),
    ]
    assert found.types == ("VARCHAR", "DECIMAL(10,2)", "DATE")


def test_a_column_without_contract_is_in_the_lakes_schema(parts: LakeQuery):
    sql = f"SELECT loyalty FROM {LAKE_SCHEMA}.auto_parts WHERE sku = ?"  # noqa: S608

    assert list(parts.run(sql, parameters=["A"]).rows()) == [(7,)]
    assert "loyalty" not in parts.run("SELECT * FROM auto_parts").columns


def test_tables_that_are_not_there_are_empty_and_named(parts: LakeQuery):
    found = parts.run("SELECT count(*) FROM customers")

    assert (list(found.rows()), found.absent) == ([(0,)], ("customers",))


def test_filters_and_columns_reach_the_files(parts: LakeQuery):
    (plan,) = parts.run("EXPLAIN SELECT sku FROM auto_parts WHERE price > 2").rows()

    assert "price" in plan[1]
    assert "Filters" in plan[1]
    assert "loyalty" not in plan[1]


def test_an_older_version_is_read(parts: LakeQuery):
    snapshot = read_snapshot(URL, TABLES["auto_parts"])
    assert snapshot is not None
    write_deltalake(PARTS, pa.table({"sku": ["LATER"]}), mode="append", schema_mode="merge")
    count = "SELECT count(*) FROM auto_parts"

    assert list(parts.run(count, as_of=snapshot.committed_at).rows()) == [(3,)]
    assert list(parts.run(count).rows()) == [(4,)]
    assert list(parts.run(count, as_of=datetime.now(UTC) - timedelta(days=1)).rows()) == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        f"FROM read_parquet('{PARTS}/*.parquet')",
        f"FROM '{PARTS}/x.parquet'",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "FROM snapshot",
    ],
)
def test_duckdb_reaches_nothing_else(parts: LakeQuery, sql: str):
    with parts.connect() as connection, pytest.raises(duckdb.Error):
        connection.execute(sql)


@pytest.mark.spark
def test_every_table_and_view_says_the_same_in_both(aws: FakeAws, small_lake: SmallLake):
    upload(Path(small_lake.root), LAKE_BUCKET, "lake")
    here, there = LakeQuery(small_lake.root), LakeQuery(URL)
    names = [f"{LAKE_SCHEMA}.{name}" for name in TABLES] + ["customer", "v_sales_order_summary", "v_service_with_parts"]

    def answer(lake: LakeQuery, name: str, as_of: datetime | None) -> Any:
        # Hudi's mark of a delete is in some files, and no column of the table.
        found = lake.run(f"SELECT * FROM {name}", as_of=as_of)  # noqa: S608
        shown = [index for index, column in enumerate(found.columns) if column != "_hoodie_is_deleted"]
        rows = sorted(([row[index] for index in shown] for row in found.rows()), key=repr)
        return [(found.columns[index], found.types[index]) for index in shown], rows

    for name in names:
        for moment in (None, small_lake.before_changes):
            assert answer(there, name, moment) == answer(here, name, moment), (name, moment)
        assert answer(there, name, None)[1]
