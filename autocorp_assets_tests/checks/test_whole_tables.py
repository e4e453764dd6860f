"""Rows without a parent and records stored twice are found over whole tables, whatever run brought them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import dagster as dg
import pytest

from autocorp_assets.checks.references import judge_references, reference_checks
from autocorp_assets.checks.unique_keys import judge_unique_keys, unique_key_checks
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import RECORD_KEY, SOURCE_SYSTEM
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.checks.conftest import run_alone, shown_rows
from autocorp_assets_tests.lake.lake_writer import LakeWriter
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from autocorp_assets_tests.spark_jobs.raw_zone import Change, RawZone
from spark_jobs.checkpoint import AppliedDelivery, Checkpoint

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
LATER = datetime.now(UTC) + timedelta(hours=1)
"""When every row has been quiet for long."""
LINES = "raw/csv/sales_order_parts/sales_order_parts"


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> LakeStorage:
    """Order 1 of both systems has lines; lines of six other orders have lost their parent, each in its own way."""
    root: Path = tmp_path_factory.mktemp("lake")
    writer = LakeWriter(spark, root)
    order = {"order_id": 1, "customer_id": 404, "order_date": datetime(2024, 1, 2, tzinfo=UTC)}
    deliveries = {
        "sales_orders-20240101.csv": AppliedDelivery(etag="a", size=1, day="20240101", ordinal=1),
        "sales_orders-20240102.csv": AppliedDelivery(etag="b", size=1, day="20240102", ordinal=2, refused="not UTF-8"),
    }
    exported = {**order, SOURCE_SYSTEM: "csv", RECORD_KEY: "csv:1"}
    writer.commit("sales_order", order, exported, checkpoint=Checkpoint(revision=1, deliveries=deliveries))

    def line(number: int, order_id: int, day: str) -> dict[str, Any]:
        file = {"raw_file": f"{LINES}-{day}.csv", SOURCE_SYSTEM: "csv"}
        return {**file, RECORD_KEY: f"csv:{order_id}:{number}", "order_id": order_id, "quantity": 1}

    writer.commit(
        "sales_order_parts",
        {"line_item_id": 1, "order_id": 1, "quantity": 1},
        {"line_item_id": 2, "order_id": 66, "quantity": 1},
        line(1, 1, "20240101"),
        line(1, 21, "20240101"),
        line(1, 22, "20240101"),
        line(1, 23, "20240102"),
        line(1, 24, "20240103"),
        line(1, 25, "20240104"),
        checkpoint=Checkpoint(revision=1),
    )
    raw = RawZone(root)
    raw.csv("sales_orders", "20240104", "order_id\n25\n")
    kept_out = {"file": "raw/csv/sales_orders/sales_orders-20240101.csv", "position": 7, "row": "{}"}
    reasons = ["order_date: malformed", "customer_id: required"]
    LedgerWriter(root, "sales_order").quarantine(
        "csv-1", {**kept_out, "record_key": "csv:21", "reasons": reasons}, revision=1
    )
    catalogue: dict[str, list[dict[str, Any]]] = {
        "auto_parts": [{"sku": "PAD"}, {"sku": "OIL"}],
        "service": [{"serviceid": "BR"}],
        "service_parts": [
            {"service_part_id": 1, "serviceid": "BR", "sku": "PAD"},
            {"service_part_id": 2, "serviceid": "GONE", "sku": "OIL"},
        ],
    }
    for name, rows in catalogue.items():
        stamp = {"change_seq": "1", "changed_at": datetime(2024, 1, 2, tzinfo=UTC)}
        LedgerWriter(root, name).commit(Checkpoint(revision=1), [{**stamp, **row} for row in rows])
    return LakeStorage(root)


def table(result: dg.AssetCheckResult, name: str) -> dict[str, str]:
    return {str(row["record_key"]): str(row["parent"]) for row in shown_rows(result.metadata[name])}


def judge(lake: LakeStorage, name: str, *, now: datetime = LATER) -> dg.AssetCheckResult:
    return judge_references(lake, TABLES[name], now=now, quiet_minutes=5)


def test_lines_without_a_parent_are_listed_with_the_parents_reason(lake):
    result = judge(lake, "sales_order_parts")

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == "6 of 8 rows have no sales_order by their order_id"
    assert table(result, "without_sales_order") == {
        "db:2": "unknown: `autocorp reconcile sales_order` compares it with the source",
        "csv:21:1": (
            "in quarantine: raw/csv/sales_orders/sales_orders-20240101.csv, row 7: order_date: malformed; "
            "customer_id: required"
        ),
        "csv:22:1": "sales_orders-20240101.csv was taken in and does not hold it: ask for the missing rows",
        "csv:23:1": "its file is refused: sales_orders-20240102.csv: not UTF-8",
        "csv:24:1": "its delivery has not arrived: sales_orders-20240103.csv",
        "csv:25:1": "its delivery is pending: sales_orders-20240104.csv",
    }


def test_rows_that_changed_a_moment_ago_are_not_judged(lake):
    result = judge(lake, "sales_order_parts", now=datetime.now(UTC))

    assert result.passed
    assert json.loads(json.dumps(result.metadata["rows_checked"].value)) == {"order_id": 0}


def test_an_exported_order_refers_to_no_customer_and_one_of_the_database_does(lake):
    result = judge(lake, "sales_order")

    assert table(result, "without_customers") == {"db:1": "customers does not exist yet"}


def test_references_of_tables_with_one_system_are_judged_too(lake):
    result = judge(lake, "service_parts")

    assert result.metadata["rows_without_parent"].value == {"serviceid": 1, "sku": 0}
    assert list(table(result, "without_service")) == ["2"]


def test_a_missing_parent_of_the_database_may_be_on_its_way(lake):
    root = Path(lake.root)
    order = {"order_id": 66, "customer_id": 404, "order_date": datetime(2024, 1, 2)}
    RawZone(root).load("sales_order", [order])
    RawZone(root).change_file("sales_order", [Change("U", 5, order)], second=5)

    told = table(judge(lake, "sales_order_parts"), "without_sales_order")

    assert told["db:2"] == "changes of the database are pending: sales_order (2 files)"


def test_each_record_is_stored_once(lake):
    assert judge_unique_keys(lake, TABLES["sales_order_parts"]).passed
    assert judge_unique_keys(lake, TABLES["auto_parts"]).passed


def test_a_record_stored_twice_and_values_that_repeat_are_named(lake, tmp_path):
    ledger = LedgerWriter(tmp_path, "service_parts")
    part = {"service_part_id": 1, "serviceid": "BR", "sku": "PAD", "change_seq": "1"}
    ledger.commit(Checkpoint(revision=1), [part, {**part, "service_part_id": 2}, {**part, "sku": None}])

    result = judge_unique_keys(LakeStorage(tmp_path), TABLES["service_parts"])

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert result.description == "1 records are stored more than once; 1 values of serviceid, sku repeat"
    assert shown_rows(result.metadata["sample"]) == [
        {"repeats": "service_part_id", "record": "1"},
        {"repeats": "serviceid, sku", "record": "1"},
    ]
    ledger = LedgerWriter(tmp_path, "auto_parts")
    ledger.commit(Checkpoint(revision=1), [{"sku": "PAD", "price": Decimal(1), "change_seq": "1"}])
    assert judge_unique_keys(LakeStorage(tmp_path), TABLES["auto_parts"]).passed


def test_the_checks_run_by_themselves_and_their_quiet_time_is_a_setting(lake):
    contracts = {"sales_order_parts": TABLES["sales_order_parts"]}
    config = {"ops": {"curated__sales_order_parts_references": {"config": {"quiet_minutes": 0}}}}

    with patch("autocorp_assets.checks.references.SAMPLE", 2):
        found = run_alone([*reference_checks(contracts), *unique_key_checks(contracts)], lake, config)

    assert not found["references"].passed
    assert len(shown_rows(found["references"].metadata["without_sales_order"])) == 2
    assert found["unique_keys"].passed
