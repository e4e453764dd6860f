"""What is in quarantine now, though nothing there is ever rewritten."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.quarantine import MASK, Quarantine, QuarantinedRow, shown_row
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.lake.ledger_writer import BEGAN, LedgerWriter
from spark_jobs.checkpoint import Checkpoint

PARTS = TABLES["auto_parts"]
FILE = "raw/database/auto_parts/year=2026/month=01/day=02/20260102-030405000-0000000001-00.parquet"
OTHER = FILE.replace("0001-00", "0002-00")
MISFIT = "price: does not fit decimal(10,2)"


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerWriter:
    return LedgerWriter(tmp_path)


def kept_out(file: str, position: int, *reasons: str) -> dict:
    row = json.dumps({"sku": f"P{position}", "price": "NaN"})
    return {
        "file": file,
        "position": position,
        "record_key": f"P{position}",
        "reasons": list(reasons or (MISFIT,)),
        "row": row,
    }


def judged_again(file: str) -> dict:
    return {"file": file, "position": None}


def places(ledger: LedgerWriter) -> list[tuple[str, int]]:
    rows = Quarantine(LakeStorage(ledger.root), PARTS).rows()
    return [(row.file.rsplit("-", 2)[1][-1], row.position) for row in rows]


def test_without_files_or_table_nothing_is_in_quarantine(ledger):
    assert Quarantine(LakeStorage(ledger.root), PARTS).count() == 0
    ledger.quarantine("db-1", kept_out(FILE, 0), revision=1)
    assert places(ledger) == [], "its batch was never committed"


def test_rows_of_a_batch_count_once_it_is_committed(ledger):
    ledger.quarantine("db-1", kept_out(FILE, 0), kept_out(FILE, 3), revision=1)
    ledger.quarantine("db-2", kept_out(OTHER, 1), revision=2)
    ledger.commit(Checkpoint(revision=1))
    assert places(ledger) == [("1", 0), ("1", 3)]
    ledger.commit(Checkpoint(revision=2))
    assert places(ledger) == [("1", 0), ("1", 3), ("2", 1)]


def test_a_file_judged_again_counts_as_it_was_judged_last(ledger):
    ledger.quarantine("db-1", kept_out(FILE, 0), kept_out(FILE, 3), kept_out(OTHER, 1), revision=1)
    ledger.quarantine("db-2", judged_again(FILE), kept_out(FILE, 3), revision=2)
    ledger.quarantine("db-3", judged_again(OTHER), revision=3)
    ledger.commit(Checkpoint(revision=3))
    assert places(ledger) == [("1", 3)]


def test_a_replay_that_died_before_its_commit_changes_nothing(ledger):
    ledger.quarantine("db-1", kept_out(FILE, 0), revision=1)
    ledger.quarantine("db-2", judged_again(FILE), revision=2)
    ledger.commit(Checkpoint(revision=1))
    assert places(ledger) == [("1", 0)]


def test_what_was_written_before_revisions_existed_still_counts(ledger):
    ledger.quarantine("db-0", kept_out(FILE, 0), revision=None)
    ledger.quarantine("db-1", kept_out(OTHER, 1), revision=1)
    ledger.commit(Checkpoint())
    assert places(ledger) == [("1", 0)]
    ledger.quarantine("db-2", judged_again(FILE), revision=2)
    ledger.commit(Checkpoint(revision=2))
    assert places(ledger) == [("2", 1)]


def test_rows_are_counted_by_file_and_reason_and_found_by_each(ledger):
    ledger.quarantine("db-1", kept_out(FILE, 0, MISFIT, "sku: required"), kept_out(FILE, 3), revision=1)
    ledger.quarantine("db-2", kept_out(OTHER, 1), revision=2)
    ledger.commit(Checkpoint(revision=2))
    quarantine = Quarantine(LakeStorage(ledger.root.as_uri()), PARTS)
    groups = [(group.file, group.reason, group.rows) for group in quarantine.groups()]
    assert groups == [(FILE, MISFIT, 2), (FILE, "sku: required", 1), (OTHER, MISFIT, 1)]
    assert quarantine.groups()[0].first > BEGAN
    assert quarantine.count() == 3
    assert quarantine.files() == {FILE: 2, OTHER: 1}
    assert [row.position for row in quarantine.rows(reason="SKU")] == [0]
    assert [row.position for row in quarantine.rows(files=[OTHER])] == [1]
    assert [row.position for row in quarantine.rows(keys=["P3"])] == [3]
    assert len(quarantine.rows(limit=2)) == 2


def row(text: str, file: str) -> QuarantinedRow:
    return QuarantinedRow(
        file=file, position=1, record_key=None, reasons=("x",), row=text, run_id="r", quarantined_at=BEGAN
    )


def test_the_trend_counts_rows_on_the_day_on_which_they_were_first_kept_out(ledger):
    ledger.quarantine("db-1", kept_out(FILE, 0), kept_out(FILE, 1, MISFIT, "name: required"), revision=1)
    ledger.quarantine("db-2", kept_out(FILE, 1), revision=2 + 24 * 60)
    ledger.quarantine("db-3", kept_out(OTHER, 0), revision=3 + 24 * 60)
    ledger.quarantine("db-4", kept_out(OTHER, 9), revision=9 + 24 * 60)
    ledger.commit(Checkpoint(revision=3 + 24 * 60))
    quarantine, day = Quarantine(LakeStorage(ledger.root), PARTS), BEGAN.date()

    found = [(one.day - day, one.reason, one.rows) for one in quarantine.trend(day)]

    assert found == [
        (timedelta(0), "name: required", 1),
        (timedelta(0), MISFIT, 2),
        (timedelta(1), MISFIT, 1),
    ], "judged again is not kept out again, and what was never committed is not kept out"
    assert [one.rows for one in quarantine.trend(day + timedelta(days=1))] == [1]


def test_a_shown_row_holds_no_personal_value_unless_asked_for():
    customers = TABLES["customers"]
    exported = json.dumps({"first_name": "Ada", "email": "ada", "zip": "90210", "state": "TX"})
    found = row(exported, "raw/csv/customers/customers-20260102.csv")
    assert shown_row(found, customers, personal=True) == json.loads(exported)
    assert shown_row(found, customers, personal=False) == {
        "first_name": MASK,
        "email": MASK,
        "zip": MASK,
        "state": "TX",
    }
    changed = row(
        json.dumps({"Op": "U", "customer_id": 7, "phone": None, "nickname": "A."}), "raw/database/customers/x"
    )
    assert shown_row(changed, customers, personal=False) == {
        "Op": "U",
        "customer_id": 7,
        "phone": None,
        "nickname": MASK,
    }
    torn = row('Ada,"Byron', "raw/csv/customers/customers-20260102.csv")
    assert shown_row(torn, customers, personal=False) == {"row": MASK}
    assert shown_row(torn, customers, personal=True) == {"row": 'Ada,"Byron'}
