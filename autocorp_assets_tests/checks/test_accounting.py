"""A raw file that nobody accounted for fails the table's check, with its name and what to do."""

from __future__ import annotations

import dagster as dg
import pytest

from autocorp_assets.checks.accounting import accounting_checks, judge_accounting
from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.accounting import table_accounting
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.checks.conftest import run_alone, shown_rows
from autocorp_assets_tests.curated.conftest import PARTS, load
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint

CONTRACT = TABLES["auto_parts"]
LOAD = "raw/database/auto_parts/LOAD00000001.parquet"


@pytest.fixture
def ledger(tmp_path) -> LedgerWriter:
    ledger = LedgerWriter(tmp_path)
    load(tmp_path, CONTRACT, PARTS)
    ledger.audit("db-1", {"file": LOAD, "applied": 2}, revision=1)
    ledger.commit(Checkpoint(revision=1, generation=1))
    return ledger


def judged(ledger: LedgerWriter) -> dg.AssetCheckResult:
    return judge_accounting(table_accounting(LakeStorage(ledger.root), CONTRACT))


def test_files_accounted_for_pass(ledger):
    result = judged(ledger)

    assert result.passed
    assert result.metadata["files_in_raw"].value == result.metadata["files_accounted"].value == 1


def test_a_file_in_no_account_fails_with_its_remedy(ledger):
    ledger.audit("db-1", revision=1)

    result = judged(ledger)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert result.description == (
        "1 raw file(s) never accounted for; `autocorp replay auto_parts --file F` has each judged: " + LOAD
    )


def test_an_account_that_does_not_add_up_fails(ledger):
    ledger.audit("db-1", {"file": LOAD, "applied": 2, "read": 3}, revision=1)

    result = judged(ledger)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"{LOAD} (read 3, run run of db-1)" in (result.description or "")
    (row,) = shown_rows(result.metadata["sample"])
    assert (row["file"], row["finding"], row["read"], row["applied"]) == (LOAD, "does not add up", 3, 2)


def test_a_file_that_raw_lost_is_a_warning(ledger):
    gone = LOAD.replace("LOAD00000001", "20260102-030405000")
    ledger.audit("db-0", {"file": gone, "applied": 1}, revision=None)

    result = judged(ledger)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert [row["file"] for row in shown_rows(result.metadata["sample"])] == [gone]


def test_the_check_runs_by_itself(ledger):
    found = run_alone(accounting_checks({CONTRACT.name: CONTRACT}), LakeStorage(ledger.root))

    assert found["files_accounted"].passed
