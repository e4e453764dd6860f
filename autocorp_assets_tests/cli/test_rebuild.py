import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES
from autocorp_assets.operations.sync import CheckCounts, SyncReport
from autocorp_assets.settings import Settings
from autocorp_assets_tests.curated.conftest import PARTS, load
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint


@pytest.fixture
def passes(tmp_path, monkeypatch) -> list[tuple]:
    """Passes asked for, over a lake in which auto_parts was made from a load and from a file that is gone."""
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    lake = Settings().lake_folder
    load(lake, TABLES["auto_parts"], PARTS)
    ledger = LedgerWriter(lake)
    ledger.audit("one", {"file": "raw/database/auto_parts/lost.parquet", "applied": 1, "read": 1}, revision=1)
    ledger.commit(Checkpoint(revision=1, generation=1))
    asked: list[tuple] = []

    def sync(settings, tables, *, curate, on_progress) -> SyncReport:
        asked.append((tables, curate))
        return SyncReport(ok=True, tables=(), checks=CheckCounts(), failed_checks=(), warned_checks=(), seconds=1)

    monkeypatch.setattr("autocorp_assets.operations.sync.sync", sync)
    return asked


def rebuild(*arguments: str):
    return CliRunner().invoke(app, ["rebuild", *arguments])


def test_a_table_that_has_lost_raw_files_is_only_rebuilt_when_that_is_meant(passes):
    refused = rebuild("auto_parts")
    assert (refused.exit_code, passes) == (1, [])
    assert "raw/database/auto_parts/lost.parquet. Nothing was changed" in refused.stderr

    assert rebuild("auto_parts", "--without-missing", "--json").exit_code == 0
    assert passes == [(["auto_parts"], {"rebuild": {"tables": ["auto_parts"], "without_missing": True}})]


def test_tables_that_there_are_not_and_tables_without_raw_are_told(passes):
    assert "no table parts; there are auto_parts" in rebuild("parts").stderr
    assert "raw has nothing of service" in rebuild("service").stderr
    assert passes == []
