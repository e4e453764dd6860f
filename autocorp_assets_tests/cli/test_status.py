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
    assert 80 < tables["service"].lag_seconds < 600


def test_the_table_fits_a_narrow_terminal(settings):
    result = CliRunner().invoke(app, ["status"], env={"COLUMNS": "80"})

    assert result.exit_code == 0
    assert "sales_order_services" in result.stdout
