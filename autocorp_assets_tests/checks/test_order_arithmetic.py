"""Lines add up to their order, or the order is named, unless what is missing is explained."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest

from autocorp_assets.checks.order_arithmetic import judge_line_sums, order_arithmetic_checks
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import RECORD_KEY, SOURCE_SYSTEM, LakeFormat, SumsLines, TableContract
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.checks.conftest import run_alone, shown_rows
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import AppliedDelivery, Checkpoint

ORDERS = TABLES["sales_order"]
(RULE,) = [rule for rule in ORDERS.rules if isinstance(rule, SumsLines)]
PARTS, SERVICES = RULE.tables
LATER = timedelta(hours=1)
DAY = "20240101"
REFUSED_DAY = "20240102"
CSV: dict[str, Any] = {SOURCE_SYSTEM: "csv"}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A lake whose tables are all Delta, which needs no JVM: what is judged here is not the format."""
    deltas = {name: _as_delta(TABLES[name]) for name in (ORDERS.name, *RULE.tables)}
    with patch.dict(TABLES, deltas):
        yield tmp_path


def _as_delta(contract: TableContract) -> TableContract:
    from dataclasses import replace

    return replace(contract, format=LakeFormat.DELTA)


def checkpoint(feed: str) -> Checkpoint:
    deliveries = {
        f"{feed}-{day}.csv": AppliedDelivery(etag="a", size=1, day=day, ordinal=1, refused=refused)
        for day, refused in ((DAY, None), (REFUSED_DAY, "not UTF-8"))
    }
    return Checkpoint(revision=1, deliveries=deliveries)


def order(number: int, subtotal: str | None, day: str | None = None) -> dict[str, Any]:
    system = "csv" if day else "db"
    file = f"raw/csv/sales_orders/sales_orders-{day}.csv" if day else "raw/database/sales_order/LOAD00000001.parquet"
    return {
        RECORD_KEY: f"{system}:{number}",
        SOURCE_SYSTEM: system,
        "order_id": number,
        "subtotal": subtotal and Decimal(subtotal),
        "notes": "call 555-0100",
        "change_seq": f"{number:06d}",
        "raw_file": file,
    }


def line(order_id: int, amount: str | None, system: str = "db") -> dict[str, Any]:
    return {"order_id": order_id, "line_total": amount and Decimal(amount), SOURCE_SYSTEM: system, "change_seq": "1"}


def write(
    root: Path, orders: list[dict[str, Any]], parts: list[dict[str, Any]], services: list[dict[str, Any]]
) -> None:
    LedgerWriter(root, ORDERS.name).commit(checkpoint("sales_orders"), orders)
    LedgerWriter(root, PARTS).commit(checkpoint(PARTS), parts)
    LedgerWriter(root, SERVICES).commit(checkpoint(SERVICES), services)


def judged(root: Path, after: timedelta = LATER) -> dg.AssetCheckResult:
    contract = TABLES[ORDERS.name]
    return judge_line_sums(LakeStorage(root), contract, RULE, now=datetime.now(UTC) + after, quiet_minutes=15)


def counts(result: dg.AssetCheckResult) -> dict[str, object]:
    """Those that are not zero."""
    found = {name: value.value for name, value in result.metadata.items() if name.startswith("rows_")}
    return {name.removeprefix("rows_"): value for name, value in found.items() if value}


def test_orders_that_are_the_sum_of_their_lines_pass(root):
    write(
        root,
        [order(1, "30.30"), order(2, "0.00"), order(1, "5.05", DAY)],
        [line(1, "10.10"), line(1, "0.20"), line(1, "5.05", "csv")],
        [line(1, "20.00")],
    )

    result = judged(root)

    assert result.passed
    assert counts(result) == {"checked": 3}


def test_a_wrong_order_is_named_with_both_sums(root):
    write(root, [order(1, "10.00"), order(2, "7.00"), order(3, "0.01", DAY)], [line(1, "10.01"), line(2, "7.00")], [])

    result = judged(root)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == "2 of 3 orders are not the sum of their lines"
    assert counts(result) == {"checked": 3, "failing": 2}
    exported, of_the_database = shown_rows(result.metadata["sample"])
    assert (exported["record_key"], exported["lines"], exported["sum_of_lines"]) == ("csv:3", 0, "0.00")
    assert of_the_database == {
        "record_key": "db:1",
        "total": "10.00",
        "lines": 1,
        "sum_of_lines": "10.01",
        "raw_file": "raw/database/sales_order/LOAD00000001.parquet",
    }


def test_a_sum_that_was_right_a_moment_ago_is_not_judged(root):
    write(root, [order(1, "10.00")], [line(1, "10.00")], [])
    LedgerWriter(root, SERVICES).commit(checkpoint(SERVICES), [line(1, "1.00")])

    assert counts(judged(root, after=timedelta(0))) == {"settling": 1}
    assert counts(judged(root)) == {"checked": 1, "failing": 1}


def test_what_is_not_there_to_be_summed_is_not_judged(root):
    write(root, [order(1, None), order(2, "5.00"), order(3, "5.00", REFUSED_DAY)], [line(2, None)], [])

    assert counts(judged(root)) == {"without_amount": 2, "without_delivered_lines": 1}


def test_an_order_with_a_line_in_quarantine_is_explained_by_it(root):
    write(root, [order(1, "5.00"), order(1, "5.00", DAY), order(2, "5.00", DAY)], [line(2, "4.00", "csv")], [])
    exported = {
        "file": f"raw/csv/{PARTS}/{PARTS}-{DAY}.csv",
        "record_key": "csv:1:1",
        "reasons": ["quantity: at least 1"],
    }
    LedgerWriter(root, PARTS).quarantine(
        "csv-1",
        {**exported, "position": 1, "row": '{"order_id": " 1 "}'},
        {**exported, "position": 2, "row": "a row with, too few cells"},
        revision=1,
    )

    result = judged(root)

    assert counts(result) == {"checked": 2, "failing": 2, "with_line_in_quarantine": 1}
    assert [row["record_key"] for row in shown_rows(result.metadata["sample"])] == ["csv:2", "db:1"]


def test_the_sample_is_bounded(root):
    write(root, [order(number, "1.00") for number in range(1, 101)], [], [])

    result = judged(root)

    assert counts(result)["failing"] == 100
    assert len(shown_rows(result.metadata["sample"])) == 20


def test_the_check_runs_by_itself_and_passes_where_there_is_no_table(root):
    found = run_alone(order_arithmetic_checks(TABLES), LakeStorage(root))

    assert list(found) == ["order_arithmetic"]
    assert found["order_arithmetic"].passed
