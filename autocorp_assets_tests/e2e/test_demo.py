"""`autocorp demo` and what can be done with the data folder that it leaves."""

from __future__ import annotations

import json
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import AUDIT, QUARANTINE
from autocorp_assets.lake.snapshots import commits
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.settings import PROJECT_FOLDER
from autocorp_assets_tests.e2e.conftest import CUSTOMERS, Demo

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.timeout(480)]

SEED_ROWS = {
    "auto_parts": 400,
    "customers": 1149,
    "service": 110,
    "service_parts": 1074,
    "sales_order": 1000,
    "sales_order_parts": 2135,
    "sales_order_services": 644,
}
OUTCOMES = ("applied", "unchanged", "superseded", "duplicate", "quarantined")
QUESTIONS = sorted((PROJECT_FOLDER / "queries" / "questions").glob("*.sql"))


def audit_of(demo: Demo, table: str) -> list[dict]:
    files = (demo.folder.settings.lake_folder / AUDIT / table).glob("*.jsonl")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def before_the_burst(demo: Demo, table: str) -> str:
    """A moment at which the table had all that was loaded, and nothing of the changes."""
    newest = commits(demo.folder.settings.lake_folder, TABLES[table], 1)[0]
    return (newest.committed_at - timedelta(milliseconds=1)).isoformat()


def test_source_and_lake_agree_by_key_and_value(demo):
    assert demo.ended.returncode == 0, demo.ended.stderr
    assert demo.report["ok"]
    assert demo.report["problems"] == []
    lines = {line["table"]: line for line in demo.report["tables"]}
    assert {name: line["seed_rows"] for name, line in lines.items()} == SEED_ROWS
    assert {name: line["differences"] for name, line in lines.items()} == dict.fromkeys(TABLES, 0)
    assert all(line["source_rows"] == line["lake_rows"] for line in lines.values())
    assert lines["customers"]["csv_rows"] == CUSTOMERS


def test_every_check_has_passed(demo):
    assert demo.report["checks"]["failed"] == 0
    assert demo.report["checks"]["passed"] > len(TABLES)


def test_what_is_printed_names_every_table_and_what_to_try_next(demo):
    assert all(name in demo.ended.stdout for name in TABLES)
    assert "autocorp query" in demo.ended.stdout
    assert "make dev" in demo.ended.stdout
    assert "queries/questions/" in demo.ended.stdout


def test_no_process_is_left_behind(demo):
    demo.folder.assert_nothing_runs()


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_every_raw_file_is_accounted_for(demo, table):
    lake = demo.folder.settings.lake_folder
    accounts = audit_of(demo, table)

    assert all(account["read"] == sum(account[outcome] for outcome in OUTCOMES) for account in accounts)
    loaded = sum(pq.read_metadata(file).num_rows for file in (lake / "raw" / "database" / table).rglob("*.parquet"))
    assert sum(a["read"] for a in accounts if a["file"].startswith("raw/database/")) == loaded
    withheld = [pq.read_metadata(file).num_rows for file in (lake / QUARANTINE / table).rglob("*.parquet")]
    assert sum(account["quarantined"] for account in accounts) == sum(withheld)


def test_a_query_sees_the_lake_as_it_is_and_as_it_was(demo):
    orders = "SELECT count(*) AS orders FROM autocorp_lake.sales_order WHERE source_system = 'db'"
    now = next(line["source_rows"] for line in demo.report["tables"] if line["table"] == "sales_order")

    assert demo.folder.query(orders) == [{"orders": now}]
    assert demo.folder.query(orders, "--as-of", before_the_burst(demo, "sales_order")) == [{"orders": 1000}]


def test_a_delta_table_is_read_as_it_was(demo):
    prices = "SELECT sku, price FROM auto_parts ORDER BY sku"

    before = demo.folder.query(prices, "--as-of", before_the_burst(demo, "auto_parts"))

    assert len(before) == SEED_ROWS["auto_parts"]
    assert before != demo.folder.query(prices)


def test_orders_of_more_than_fifty_lines_are_whole(demo):
    large = demo.folder.query(
        "SELECT part_lines + service_lines AS lines, subtotal, parts_total + services_total AS sum_of_lines "
        "FROM v_sales_order_summary WHERE source_system = 'db' AND part_lines + service_lines > 50"
    )

    assert [order["lines"] for order in large if order["sum_of_lines"] != order["subtotal"]] == []
    assert len(large) >= 3


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda path: path.stem)
def test_every_saved_question_has_an_answer(demo, question):
    result = LakeQuery(demo.folder.settings.lake_folder).run(question.read_text())

    assert result.absent == ()
    assert result.columns


def test_status_shows_each_table_up_to_date(demo):
    status = json.loads(demo.folder.run("status", "--json").stdout)

    shown = {table["table"]: (table["rows"], table["pending_files"]) for table in status["tables"]}
    assert shown == {line["table"]: (line["lake_rows"] + line["csv_rows"], 0) for line in demo.report["tables"]}


def test_a_pass_with_nothing_new_starts_no_spark_and_commits_nothing(demo):
    lake = demo.folder.settings.lake_folder
    before = [commits(lake, contract, 100) for contract in TABLES.values()], demo.folder.spark_logs()

    report = demo.folder.sync()

    assert report["ok"]
    assert ([commits(lake, contract, 100) for contract in TABLES.values()], demo.folder.spark_logs()) == before
    demo.folder.assert_nothing_runs()
