import json

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES
from autocorp_assets.settings import Settings
from autocorp_assets_tests.curated.conftest import PARTS, load
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint

LOAD = "raw/database/auto_parts/LOAD00000001.parquet"


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> LedgerWriter:
    """A lake whose auto_parts took in its load."""
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    lake = Settings().lake_folder
    load(lake, TABLES["auto_parts"], PARTS)
    ledger = LedgerWriter(lake)
    line = {"file": LOAD, "applied": 1, "quarantined": 1, "repairs": {"name: white space trimmed": 1}}
    ledger.audit("db-1", line, revision=1)
    ledger.commit(Checkpoint(revision=1, generation=1))
    return ledger


def audit(*arguments: str):
    return CliRunner().invoke(app, ["audit", *arguments])


def test_a_file_tells_every_account_of_it(ledger):
    ledger.audit("db-2", {"file": LOAD, "superseded": 2}, revision=2)

    shown = audit("LOAD00000001.parquet")

    assert shown.exit_code == 0
    assert f"{LOAD}\ntable auto_parts; in raw; accounted for\n" in shown.stdout
    assert "run of db-1, batch db-1: committed with commit 1" in shown.stdout
    assert "read 2 = 1 applied + 0 unchanged + 0 superseded + 0 duplicate + 1 quarantined" in shown.stdout
    assert "repaired: name: white space trimmed (1)" in shown.stdout
    assert "run of db-2, batch db-2: NOT committed" in shown.stdout
    value = json.loads(audit(LOAD, "--json").stdout)
    assert [(a["revision"], a["is_committed"], a["applied"]) for a in value["accounts"]] == [
        (1, True, 1),
        (2, False, 0),
    ]
    assert (value["table"], value["state"], value["is_in_raw"]) == ("auto_parts", "accounted for", True)


def test_a_refused_file_tells_why(ledger):
    ledger.audit("db-1", {"file": LOAD, "refused": "not UTF-8: export it as UTF-8"}, revision=1)

    assert "refused as a whole: not UTF-8: export it as UTF-8" in audit(LOAD).stdout


def test_a_file_that_nobody_took_in_says_what_to_do(ledger):
    ledger.audit("db-1", revision=1)

    shown = audit(LOAD)

    assert shown.exit_code == 1
    assert (
        f"NOBODY HAS ACCOUNTED FOR IT and no run is about to: `autocorp replay auto_parts --file {LOAD}`"
        in shown.stdout
    )


def test_a_pending_file_says_so(ledger):
    load(ledger.root, TABLES["service"], [{"serviceid": "S-1"}])

    shown = audit("raw/database/service/LOAD00000001.parquet")

    assert shown.exit_code == 0
    assert "pending: the next run takes it in" in shown.stdout


def test_what_is_not_there_or_is_ambiguous_is_told(ledger):
    load(ledger.root, TABLES["service"], [{"serviceid": "S-1"}])

    missing = audit("no_such.parquet")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "no_such.parquet is neither in raw nor in the audit" in missing.stderr
    ambiguous = audit("LOAD00000001.parquet")
    assert ambiguous.exit_code == 1
    assert f"  {LOAD}\n" in ambiguous.stderr
    assert audit("LOAD00000001.parquet", "--table", "auto_parts").exit_code == 0
    unknown = audit("raw/database/auto_parts/LOAD00000009.parquet")
    assert unknown.exit_code == 1
    assert "NOT in raw; nobody has accounted for it" in unknown.stdout
    assert "no table part" in audit("--table", "part").stderr


def test_tables_are_summed_up_and_newest_files_listed(ledger):
    value = json.loads(audit("--json").stdout)
    parts = next(table for table in value["tables"] if table["table"] == "auto_parts")
    assert parts["files"] == {"accounted for": 1}
    assert (parts["read"], parts["applied"], parts["quarantined"], parts["not_adding_up"]) == (2, 1, 1, [])
    listed = json.loads(audit("--table", "auto_parts", "--json").stdout)
    assert [(file["file"], file["state"], file["read"]) for file in listed["files"]] == [(LOAD, "accounted for", 2)]
    assert "auto_parts" in audit().stdout
    assert "LOAD00000001.parquet" in audit("--table", "auto_parts").stdout
