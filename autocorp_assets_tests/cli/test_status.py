import json
import os
import time

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.cli.status import table_statuses
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import table_prefix
from autocorp_assets.settings import Settings
from autocorp_assets_tests.curated.conftest import PARTS, Platform, load
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from autocorp_assets_tests.spark_jobs.raw_zone import RawZone


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    return Settings()


def test_before_anything_exists_every_table_is_empty_and_nothing_is_made(settings):
    result = CliRunner().invoke(app, ["status", "--json"])

    status = json.loads(result.stdout)
    assert status["replication"]["running"] is False
    assert {table["table"]: table["rows"] for table in status["tables"]} == dict.fromkeys(TABLES)
    assert list(settings.home_folder.iterdir()) == []


def test_rows_lag_and_quarantine_come_from_the_files(settings):
    platform = Platform(settings.home_folder)
    load(settings.lake_folder, TABLES["auto_parts"], PARTS)
    load(settings.lake_folder, TABLES["service"], [{"serviceid": "S-1"}])
    written = time.time() - 90
    os.utime(settings.lake_folder / table_prefix("service") / "LOAD00000001.parquet", (written, written))
    platform.curate("auto_parts")
    kept_out = {"file": "raw/database/auto_parts/LOAD00000001.parquet", "reasons": ["price: does not fit"]}
    ledger = LedgerWriter(settings.lake_folder)
    ledger.quarantine("db-0", {**kept_out, "position": 0}, {**kept_out, "position": 1}, revision=1)
    ledger.quarantine("db-9", {**kept_out, "position": 2}, revision=9)

    tables = {table.table: table for table in table_statuses(settings)}

    assert (tables["auto_parts"].rows, tables["auto_parts"].pending_files, tables["auto_parts"].lag_seconds) == (
        2,
        0,
        0,
    )
    assert tables["auto_parts"].rows_quarantined == 2
    assert (tables["service"].rows, tables["service"].pending_files) == (None, 1)
    lag = tables["service"].lag_seconds
    assert lag is not None
    assert 80 < lag < 600


def test_a_receipt_that_cannot_be_read_is_named_and_hides_no_other_table(settings):
    load(settings.lake_folder, TABLES["service"], [{"serviceid": "S-1"}])
    RawZone(settings.lake_folder).csv("customers", "20240101", "email\n")
    (settings.lake_folder / "raw/csv/_receipts/customers/customers-20240101.csv.json").write_text("{half")

    result = CliRunner().invoke(app, ["status", "--json"])
    tables = {table["table"]: table for table in json.loads(result.stdout)["tables"]}

    assert result.exit_code == 0
    assert (tables["customers"]["pending_files"], tables["customers"]["lag_seconds"]) == (None, None)
    assert "customers-20240101.csv.json" in tables["customers"]["problem"]
    assert (tables["service"]["pending_files"], tables["service"]["problem"]) == (1, None)


def test_the_table_fits_a_narrow_terminal(settings):
    result = CliRunner().invoke(app, ["status"], env={"COLUMNS": "80"})

    assert result.exit_code == 0
    assert "sales_order_services" in result.stdout
