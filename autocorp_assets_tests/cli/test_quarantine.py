import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import QUARANTINE
from autocorp_assets.operations.sync import CheckCounts, SyncReport, TableResult
from autocorp_assets.settings import Settings
from autocorp_assets_tests.curated.conftest import PARTS, load
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint

LOAD = "raw/database/auto_parts/LOAD00000001.parquet"
LOST = "raw/database/auto_parts/year=2026/month=01/day=02/20260102-030405000-0000000001-00.parquet"
MISFIT = "price: does not fit decimal(10,2)"
RULE = "name: required"


def kept_out(file: str, position: int, *reasons: str) -> dict:
    row = json.dumps({"sku": f"P{position}", "name": None})
    return {"file": file, "position": position, "record_key": f"P{position}", "reasons": list(reasons), "row": row}


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> LedgerWriter:
    """A lake with three rows of auto_parts in quarantine, of a file in raw and of one that is gone."""
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    lake = Settings().lake_folder
    load(lake, TABLES["auto_parts"], PARTS)
    ledger = LedgerWriter(lake)
    ledger.audit("db-1", {"file": LOAD, "quarantined": 2}, {"file": LOST, "quarantined": 1}, revision=1)
    rows = (kept_out(LOAD, 0, MISFIT), kept_out(LOAD, 1, MISFIT, RULE), kept_out(LOST, 0, MISFIT))
    ledger.quarantine("db-1", *rows, revision=1)
    ledger.commit(Checkpoint(revision=1, generation=1))
    return ledger


def quarantine(*arguments: str):
    return CliRunner().invoke(app, ["quarantine", *arguments])


def test_it_lists_rows_by_table_file_and_reason(ledger):
    tables = json.loads(quarantine("list", "--json").stdout)["tables"]
    assert tables["auto_parts"]["rows"] == 3
    found = [(group["file"], group["reason"], group["rows"]) for group in tables["auto_parts"]["groups"]]
    assert found == [(LOAD, RULE, 1), (LOAD, MISFIT, 2), (LOST, MISFIT, 1)]
    assert tables["service"] == {"rows": 0, "groups": []}
    shown = quarantine()
    assert shown.exit_code == 0
    assert MISFIT in shown.stdout
    assert "auto_parts: 3 rows" in shown.stdout


def test_an_empty_quarantine_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    assert quarantine().stdout == "nothing is in quarantine\n"


def test_it_shows_rows_whole_with_place_and_reasons(ledger):
    value = json.loads(quarantine("show", "auto_parts", "--reason", "required", "--json").stdout)
    (row,) = value["rows"]
    assert (row["file"], row["position"], row["reasons"]) == (LOAD, 1, [MISFIT, RULE])
    assert row["row"] == {"sku": "P1", "name": None}
    shown = quarantine("show", "auto_parts", "--file", "LOAD00000001.parquet", "--limit", "1")
    assert shown.stdout.startswith(f"{LOAD}, row 0: {MISFIT}\n")
    assert "P0" in shown.stdout
    assert "--limit 0 shows all" in shown.stderr
    assert "no table part" in quarantine("show", "part").stderr


def test_personal_values_are_shown_only_when_asked_for(ledger, monkeypatch):
    customers = LedgerWriter(ledger.root, "customers")
    file = "raw/csv/customers/customers-20260102.csv"
    row = {"file": file, "position": 1, "reasons": ["email: form"], "row": json.dumps({"email": "ada", "state": "TX"})}
    customers.quarantine("csv-1", row, revision=None)
    # Its table would be Hudi, which only Spark writes: here it stands where nothing was ever committed again.
    monkeypatch.setattr("autocorp_assets.lake.quarantine.read_head", lambda *_: Mock(revision=0))

    masked = quarantine("show", "customers")
    whole = quarantine("show", "customers", "--personal")

    assert '"email": "•••", "state": "TX"' in masked.stdout
    assert '"email": "ada", "state": "TX"' in whole.stdout


@pytest.fixture
def passes(ledger, monkeypatch) -> list[dict]:
    """Passes asked for; the first row of the load has been mended since, and `again` judges it so."""
    asked: list[dict] = []

    def sync(settings, tables, *, curate, on_progress) -> SyncReport:
        asked.append({name: value for name, value in curate["replay"].items() if value})
        on_progress("curate")
        ledger.quarantine("db-2", {"file": LOAD}, kept_out(LOAD, 1, RULE), revision=2)
        ledger.commit(Checkpoint(revision=2, generation=1))
        return SyncReport(
            ok=True,
            tables=(TableResult(table="auto_parts", rows_applied=1),),
            checks=CheckCounts(),
            failed_checks=(),
            warned_checks=(),
            seconds=1,
        )

    monkeypatch.setattr("autocorp_assets.operations.sync.sync", sync)
    return asked


def test_a_replay_tells_what_left_and_what_stays(passes):
    result = quarantine("replay", "auto_parts")

    assert result.exit_code == 0, result.output
    assert passes == [{"tables": ["auto_parts"], "files": [LOAD]}]
    assert f"{LOST} is no longer in raw: its rows stay in quarantine" in result.stdout
    assert "auto_parts: 3 rows of 1 file(s) judged again; 1 left quarantine, 2 stay" in result.stdout
    assert f"  1 {RULE}" in result.stdout


def test_a_replay_for_a_script(passes):
    value = json.loads(quarantine("replay", "auto_parts", "--file", LOAD, "--json").stdout)

    assert (value["ok"], value["files"], value["missing"]) == (True, [LOAD], [])
    assert (value["before"], value["after"], value["left"], value["stays"]) == (2, 1, 1, {RULE: 1})


def test_nothing_to_judge_makes_no_pass(passes):
    result = quarantine("replay", "service")

    assert (result.exit_code, passes) == (0, [])
    assert "service: nothing in quarantine can be judged again" in result.stdout


def replay(*arguments: str):
    return CliRunner().invoke(app, ["replay", *arguments])


def test_any_raw_files_can_be_judged_again_by_table_name_feed_or_day(passes):
    assert replay("auto_parts").exit_code == 0
    assert replay("auto_parts", "--file", "LOAD00000001.parquet").exit_code == 0
    assert replay("auto_parts", "--feed", "database", "--since", "2026-01-02", "--json").exit_code == 0
    assert passes == [
        {"tables": ["auto_parts"]},
        {"tables": ["auto_parts"], "files": ["LOAD00000001.parquet"]},
        {"tables": ["auto_parts"], "feed": "database", "since": "2026-01-02"},
    ]


def test_a_replay_of_nothing_says_what_there_is_and_makes_no_pass(passes):
    nothing, no_feed = replay("auto_parts", "--since", "2026-01-03"), replay("auto_parts", "--feed", "customers")

    assert "auto_parts: 1 of database from 2026-01-02 to 2026-01-02" in nothing.stderr
    assert "feed customers belongs to table customers, not to auto_parts" in no_feed.stderr
    assert (nothing.exit_code, no_feed.exit_code, passes) == (1, 1, [])


def test_analysts_cannot_reach_quarantine(ledger):
    file = next(Path(ledger.root, QUARANTINE).rglob("*.parquet"))
    for source in (f"'{file}'", f"read_parquet('{file}')", "quarantine", "processed.quarantine.auto_parts"):
        result = CliRunner().invoke(app, ["query", f"SELECT * FROM {source}", "--format", "csv"])  # noqa: S608
        assert (result.exit_code, result.stdout) == (1, ""), source
