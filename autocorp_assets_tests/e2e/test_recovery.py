"""Bad files, killed and interrupted passes: what is good goes on, and the next pass makes the rest good."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.source.connection import open_source
from autocorp_assets.reconciliation.database import compare_table
from autocorp_assets_tests.e2e.data_folder import DataFolder, end, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.timeout(300)]

SPARK_WORKS_WITHIN_SECONDS = 60
GONE_WITHIN_SECONDS = 40
"""Spark gets 20 seconds to leave before it is killed."""
PRICE = "UPDATE auto_parts SET price = price + 1"
COSTS = "UPDATE service SET labor_cost = labor_cost * 2"
PEOPLE = "UPDATE customers SET city = 'Elsewhere' WHERE customer_id % 10 = 0"


def change_source(folder: DataFolder, *statements: str) -> None:
    with open_source(folder.settings) as source, psycopg.connect(source.dsn) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def differences(folder: DataFolder) -> dict[str, int]:
    """By table; empty when source and lake agree."""
    lake = folder.settings.lake_folder
    with open_source(folder.settings) as source:
        found = {name: compare_table(source.dsn, lake, table).count for name, table in TABLES.items()}
    return {name: count for name, count in found.items() if count}


def wait_for_spark(folder: DataFolder, output: Path, saying: str) -> None:
    """Until the job of a running command tells of its progress."""
    wait_for(lambda: saying in output.read_text(), seconds=SPARK_WORKS_WITHIN_SECONDS, what=output.read_text)
    assert any(process.name() == "java" for process in folder.processes())


def test_a_broken_file_stops_its_table_only_until_it_is_mended(folder):
    raw = folder.settings.lake_folder / "raw"
    change_source(folder, PRICE, COSTS)
    whole = next((raw / "database" / "service").rglob("year=*/**/*.parquet"))
    truncated = whole.with_name("29991231-000000000-0000000099-01.parquet")
    truncated.write_bytes(whole.read_bytes()[:-100])
    unreadable = folder.settings.landing_folder / "customers-20250131.csv"
    unreadable.write_text(
        "first_name,last_name,email,phone,address,city,state,zip\nZoë,Roß,z@example.org,,,,,\n", "latin-1"
    )

    ended = folder.run("sync")

    assert ended.returncode == 1
    told = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert any(line.startswith("error: service: ") and truncated.name in line for line in told), ended.stderr
    assert any(line.startswith("error: curated/customers") and unreadable.name in line for line in told), ended.stderr
    assert "service: service" not in ended.stderr
    assert set(differences(folder)) == {"service"}

    truncated.unlink()
    unreadable.write_text(unreadable.read_text("latin-1"), "utf-8")
    report = folder.sync()

    assert report["ok"], report
    assert differences(folder) == {}
    assert folder.query("SELECT first_name FROM customers WHERE email = 'z@example.org'") == [{"first_name": "Zoë"}]


def test_after_kill_9_in_the_midst_of_spark_the_next_pass_carries_on(folder, tmp_path):
    change_source(folder, PRICE, PEOPLE)
    sync = folder.start("sync", output=tmp_path / "sync.log")
    wait_for_spark(folder, tmp_path / "sync.log", saying="committing")

    assert end(sync, signal.SIGKILL, seconds=5) == -signal.SIGKILL
    folder.assert_nothing_runs(within_seconds=GONE_WITHIN_SECONDS)
    report = folder.sync()

    assert report["ok"], report
    assert differences(folder) == {}
    folder.assert_nothing_runs()


def test_ctrl_c_ends_a_demo_with_all_that_it_started(tmp_path):
    folder, output = DataFolder(tmp_path / "home"), tmp_path / "demo.log"
    demo = folder.start("demo", "--customers", "100", "--orders", "20", output=output)
    wait_for_spark(folder, output, saying="reading")

    assert end(demo, signal.SIGINT, seconds=GONE_WITHIN_SECONDS) == 130, output.read_text()
    assert "autocorp sync" in output.read_text()
    folder.assert_nothing_runs(within_seconds=2)
