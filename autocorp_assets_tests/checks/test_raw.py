import gzip
import hashlib
import json
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from autocorp_assets.checks.raw import check_raw_feed, check_raw_table, raw_check_specs, raw_feed_check_specs
from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.contracts.raw_format import COMMIT_TIME, OP, TRANSFER_RECEIPTS, feed_prefix, table_prefix
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.checks.conftest import shown_rows

PARTS = TABLES["auto_parts"]
FEED = FEEDS["sales_orders"]
HEADER = ",".join(FEED.columns)


@pytest.fixture
def lake(tmp_path) -> LakeStorage:
    return LakeStorage(tmp_path)


def change_file(lake: LakeStorage, name: str, rows: list[dict], **types) -> None:
    folder = Path(lake.root) / table_prefix(PARTS.name) / "year=2026/month=01/day=02"
    folder.mkdir(parents=True, exist_ok=True)
    schema = {
        "sku": pl.String,
        "name": pl.String,
        "description": pl.String,
        "inventory_date": pl.Date,
        "vendor": pl.String,
        "price": pl.Decimal(10, 2),
        OP: pl.String,
        COMMIT_TIME: pl.String,
    }
    frame = pl.DataFrame(
        [{OP: "I", COMMIT_TIME: "2026-01-02 03:04:05.000000", **row} for row in rows],
        schema=schema | types,
        strict=False,
    )
    frame.write_parquet(folder / name)


def deliver(lake: LakeStorage, day: str, text: str | bytes) -> None:
    name = f"{FEED.name}-{day}.csv"
    file = Path(lake.root) / feed_prefix(FEED.name) / name
    receipt = Path(lake.root) / TRANSFER_RECEIPTS / FEED.name / f"{name}.json"
    for path in (file, receipt):
        path.parent.mkdir(parents=True, exist_ok=True)
    content = text if isinstance(text, bytes) else text.encode()
    file.write_bytes(content)
    receipt.write_text(json.dumps({"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}))


def of_table(lake: LakeStorage) -> dict[str, dg.AssetCheckResult]:
    selected = frozenset(spec.key for spec in raw_check_specs(PARTS))
    return {result.check_name or "": result for result in check_raw_table(lake, PARTS, selected=selected)}


def of_feed(lake: LakeStorage, **ignored: str) -> dict[str, dg.AssetCheckResult]:
    selected = frozenset(spec.key for spec in raw_feed_check_specs(FEED))
    found = check_raw_feed(lake, FEED, TABLES["sales_order"], ignored=ignored, selected=selected)
    return {result.check_name or "": result for result in found}


def test_nothing_there_is_nothing_wrong(lake):
    assert all(result.passed for result in (*of_table(lake).values(), *of_feed(lake).values()))


def test_unknown_missing_and_retyped_columns_are_named_with_their_file(lake):
    change_file(lake, "20260102-030405000.parquet", [{"sku": "A"}], colour=pl.String, price=pl.String)

    result = of_table(lake)["schema"]

    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert "unknown column colour (String) in 20260102-030405000.parquet" in (result.description or "")
    assert "column price is String, not decimal(10,2)" in (result.description or "")


def test_the_newest_state_of_a_row_is_judged_and_deletes_are_not(lake):
    change_file(lake, "20260102-030405000.parquet", [{"sku": "A", "name": None}, {"sku": "B", "name": "pad"}])
    change_file(lake, "20260102-030406000.parquet", [{"sku": "A", "name": "filter"}, {"sku": "B", OP: "D"}])

    assert of_table(lake)["rules"].passed

    change_file(lake, "20260102-030407000.parquet", [{"sku": "C", "name": "belt", "price": -1}])

    assert shown_rows(of_table(lake)["rules"].metadata["failures"]) == [{"rule": "price: at least 0", "rows": 1}]


def test_the_newest_delivery_is_judged_by_its_header_and_its_rows(lake):
    deliver(lake, "20240101", "nonsense\n1\n")
    deliver(
        lake,
        "20240102",
        f"{HEADER},colour\n1,7,2024-01-02 10:00:00,INV-2024-1,Cash,10,0.8,10.8,Parts,Completed,red\n"
        "2,7,2024-01-03 00:00:00,INV-2024-2,Gold,10,0.8,10.8,Parts,Completed,red\n",
    )

    results = of_feed(lake)

    assert results["schema"].description == "unknown column colour in sales_orders-20240102.csv"
    assert {row["rule"]: row["rows"] for row in shown_rows(results["rules"].metadata["failures"])} == {
        "order_date: not after its delivery": 1,
        "payment_method: known value": 1,
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (gzip.compress(HEADER.encode(), mtime=0), "deliver it unpacked"),
        (HEADER.replace(",", ";").encode(), "separated by semicolons"),
        (HEADER.replace("order_date", "date").encode(), "no column order_date"),
    ],
)
def test_a_delivery_that_the_job_refuses_is_named_with_the_jobs_reason(lake, content, reason):
    deliver(lake, "20240102", content)

    results = of_feed(lake)

    assert "sales_orders-20240102.csv is refused: " in (results["schema"].description or "")
    assert reason in (results["schema"].description or "")
    assert results["rules"].passed


def test_a_delivery_that_cannot_be_read_to_its_end_does_not_fail_the_feed(lake):
    deliver(lake, "20240102", f'{HEADER}\n1,7,"2024\n')

    assert all(result.passed for result in of_feed(lake).values())


def test_what_the_transfer_left_behind_is_named_with_its_remedy(lake):
    result = of_feed(lake, **{"sales_orders-20240102.csv.gz": "packed: unpack it"})["files_accepted"]

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == "sales_orders-20240102.csv.gz: packed: unpack it"


def test_a_truncated_file_is_named_and_the_rest_is_judged(lake):
    change_file(lake, "20260102-030405000.parquet", [{"sku": "A", "name": None}])
    change_file(lake, "20260102-030406000.parquet", [{"sku": "B", "name": "pad"}])
    (truncated,) = Path(lake.root).rglob("20260102-030406000.parquet")
    truncated.write_bytes(truncated.read_bytes()[:-10])

    results = of_table(lake)

    assert "not a whole Parquet file" in (results["schema"].description or "")
    assert truncated.name in (results["schema"].description or "")
    assert not results["rules"].passed
