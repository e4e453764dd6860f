"""Checks of a lake in S3: changed rows in bounded number, here or by Athena, and whole tables by DuckDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from deltalake import write_deltalake

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks import changed_rows as module
from autocorp_assets.checks.changed_rows import changed_rows
from autocorp_assets.checks.curated import check_specs, check_table
from autocorp_assets.checks.order_arithmetic import judge_line_sums
from autocorp_assets.checks.references import judge_references
from autocorp_assets.checks.schemas import validate
from autocorp_assets.checks.unique_keys import judge_unique_keys
from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.contracts.model import RECORD_KEY, SOURCE_SYSTEM, SumsLines, TableContract
from autocorp_assets.lake.snapshots import Snapshot, read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.reconciliation.exports import compare_exports
from autocorp_assets.reconciliation.keys import KeyRange
from autocorp_assets.reconciliation.lake_table import open_lake_table
from autocorp_assets.resources.aws.athena import AthenaQuery
from autocorp_assets.resources.local_catalog import LocalCatalog
from autocorp_assets_tests.checks.conftest import LINEAGE, frame
from autocorp_assets_tests.fakes.athena import QueryFailure, athena_queries, make_workgroup
from autocorp_assets_tests.fakes.s3_folder import upload
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws
from autocorp_assets_tests.lake.lake_writer import LakeWriter
from autocorp_assets_tests.spark_jobs.raw_zone import RawZone
from spark_jobs.checkpoint import AppliedDelivery, Checkpoint

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.aws

URL = f"s3://{LAKE_BUCKET}/lake"
PARTS = TABLES["auto_parts"]
RULES = frozenset(spec.key for spec in check_specs(PARTS) if spec.name == "rules")
FILES = [{"file": "new", "read": 2, "applied": 2}]
BY_ATHENA = AthenaQuery(workgroup="autocorp", poll_seconds=0.001)
NEVER = LakeQuery("/nowhere")


def store(contract: TableContract, *rows: dict) -> None:
    # Spark's files have plain strings; polars' views are no type that Arrow can filter.
    table = frame(contract, *rows).to_arrow(compat_level=pl.CompatLevel.oldest())
    write_deltalake(f"{URL}/{contract.lake_path}", table, mode="append")


@pytest.fixture
def parts(aws: FakeAws) -> Snapshot:
    """Three parts in S3, two of which came with raw file `new`; one of these has a price below 0."""
    rows = [
        {**LINEAGE, "sku": "OLD", "name": "Old", "price": Decimal("1.00"), "raw_file": "old"},
        {**LINEAGE, "sku": "A", "name": "Pad", "price": Decimal("1.00"), "raw_file": "new"},
        {**LINEAGE, "sku": "B", "name": "Oil", "price": Decimal("-1.00"), "raw_file": "new"},
    ]
    store(PARTS, *rows)
    make_workgroup()
    athena_queries.lake = URL
    found = read_snapshot(URL, PARTS)
    assert found is not None
    return found


def test_the_changed_rows_of_a_small_table_are_read_here(parts: Snapshot, aws: FakeAws):
    rows = changed_rows(parts, ["new"], PARTS, query=NEVER)

    assert sorted(rows["sku"]) == ["A", "B"]
    assert rows.schema == frame(PARTS).schema
    assert rows["changed_at"].to_list() == [LINEAGE["changed_at"]] * 2
    assert not aws.faults.requests["athena:StartQueryExecution"]


def test_no_more_rows_are_read_than_the_bound(parts: Snapshot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROW_LIMIT", 1)

    assert changed_rows(parts, ["new", "old"], PARTS, query=NEVER).height == 1


def test_a_table_above_the_bound_is_asked_of_athena_and_judged_by_the_same_schema(
    parts: Snapshot, monkeypatch: pytest.MonkeyPatch
):
    here = changed_rows(parts, ["new"], PARTS, query=NEVER)
    monkeypatch.setattr(module, "REMOTE_BYTES_LIMIT", 10)
    monkeypatch.setattr(module, "QUERY_FILES_LIMIT", 2)

    there = changed_rows(parts, ["old", "quo'te", "new"], PARTS, query=BY_ATHENA)

    assert there.sort("sku").equals(here.sort("sku"))
    assert validate(there, PARTS).failures == validate(here, PARTS).failures == {"price: at least 0": 1}
    (execution,) = athena_queries.executions.values()
    assert execution.parameters == ["'quo''te'", "'new'"]
    assert execution.query.endswith(f"LIMIT {module.QUERY_ROW_LIMIT}")


def test_rows_that_break_a_rule_fail_the_check(parts: Snapshot):
    (result,) = check_table(PARTS, snapshot=parts, files=FILES, selected=RULES, query=NEVER)

    assert not result.passed
    assert result.description == "price: at least 0 (1) of 2 rows"


def test_rows_that_athena_does_not_give_are_a_warning(parts: Snapshot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "REMOTE_BYTES_LIMIT", 10)
    athena_queries.failures.append(QueryFailure(reason="Query exhausted resources at this scale factor", category=2))

    (result,) = check_table(PARTS, snapshot=parts, files=FILES, selected=RULES, query=BY_ATHENA)

    assert (result.passed, result.severity.value, result.asset_key) == (False, "WARN", curated_key("auto_parts"))
    assert "none was judged: Query exhausted resources" in (result.description or "")


def test_whole_delta_tables_are_judged(parts: Snapshot):
    lake = LakeStorage(URL)
    store(PARTS, {**LINEAGE, "sku": "A"})

    assert judge_unique_keys(lake, PARTS).description == "1 records are stored more than once"
    assert LocalCatalog(lake=lake.root).describe(["auto_parts"])["auto_parts"].columns["price"] == "decimal(10,2)"
    link = {**LINEAGE, "service_part_id": 1, "serviceid": "GONE", "sku": "A"}
    contract = TABLES["service_parts"]
    store(contract, link)
    judged = judge_references(lake, contract, now=datetime.now(UTC), quiet_minutes=0)
    assert judged.description == "1 of 1 rows have no service by their serviceid"


def test_a_delta_table_is_summed_for_reconciliation(parts: Snapshot):
    with open_lake_table(URL, PARTS, PARTS.columns) as table:
        assert table.buckets(KeyRange(), 10).rows[0].count == 3
        assert set(table.checksums(["A", "B", "C"])) == {"A", "B"}
        assert table.rows_without_key() == 0


@pytest.mark.spark
def test_hudi_tables_are_judged_as_in_a_folder(aws: FakeAws, spark: SparkSession, tmp_path: Path):
    writer = LakeWriter(spark, tmp_path)
    order = {"order_id": 1, "customer_id": 404, "order_date": datetime(2024, 1, 2, tzinfo=UTC)}
    writer.commit("sales_order", {**order, "subtotal": Decimal(1)}, {**order, "order_id": 2, "raw_file": "new"})
    header = ",".join(FEEDS["customers"].columns)
    RawZone(tmp_path).csv("customers", "20241121", f"{header}\nAda,L,lost@example.org,1,1 Main,X,IL,1\n")
    (found,) = LakeStorage(tmp_path).deliveries("customers")
    delivery = AppliedDelivery(etag=found.etag, size=found.size, day=found.day, ordinal=1)
    taken_in = Checkpoint(revision=1, deliveries={found.name: delivery})
    exported = {SOURCE_SYSTEM: "csv", RECORD_KEY: "csv:1", "raw_file": found.path, "change_seq": "20241121.000001.1"}
    writer.commit("customers", {"customer_id": 1, "email": "a@example.org"}, exported, checkpoint=taken_in)
    upload(tmp_path, LAKE_BUCKET, "lake")
    later = datetime.now(UTC) + timedelta(hours=1)
    orders = TABLES["sales_order"]

    def told(root: Path | str) -> list[object]:
        snapshot = read_snapshot(root, orders)
        assert snapshot is not None
        rows: pl.DataFrame = changed_rows(snapshot, ["new"], orders, query=NEVER)
        lake = LakeStorage(root)
        with open_lake_table(root, orders, orders.columns) as table:
            sums = table.checksums([1, 2])
        references = judge_references(lake, orders, now=later, quiet_minutes=5)
        (rule,) = [rule for rule in orders.rules if isinstance(rule, SumsLines)]
        lines = judge_line_sums(lake, orders, rule, now=later, quiet_minutes=15)
        exports = compare_exports(lake, TABLES["customers"], on_progress=lambda _: None)
        descriptions = [references.description, lines.description, exports.describe()]
        return [descriptions, rows.to_dicts(), judge_unique_keys(lake, orders).passed, sums]

    assert told(URL) == told(tmp_path)
    assert told(URL)[0] == [
        "2 of 2 rows have no customers by their customer_id",
        "1 of 1 orders are not the sum of their lines",
        "1 rows of 1 exports are 1 records and 0 rows in quarantine, 1 are in the lake: 1 missing, 1 extra",
    ]
