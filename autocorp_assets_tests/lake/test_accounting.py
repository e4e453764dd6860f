"""Every raw file is accounted for, or about to be; what is neither has a name."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import TRANSFER_RECEIPTS, feed_prefix
from autocorp_assets.lake.accounting import FileState, TableAccounting, audit_file, find_files, table_accounting
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.lake.table_files import TableFile
from autocorp_assets_tests.curated.conftest import PARTS, load
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.plan import FileKind

AUTO_PARTS = TABLES["auto_parts"]
LOAD = "raw/database/auto_parts/LOAD00000001.parquet"
DAY = "raw/database/auto_parts/year=2026/month=01/day=02"
EARLY, LATE, NEW = (f"{DAY}/20260102-03{minute}00000-0000000001-00.parquet" for minute in ("04", "30", "59"))


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerWriter:
    """A table that took in a load and one change file; a third file is new, one older was never seen."""
    ledger = LedgerWriter(tmp_path)
    load(tmp_path, AUTO_PARTS, PARTS)
    long_ago = datetime(2026, 1, 2, 3, tzinfo=UTC).timestamp()
    for path in (EARLY, LATE, NEW):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (long_ago, long_ago))
    ledger.audit("db-1", {"file": LOAD, "applied": 2}, {"file": LATE, "applied": 1}, revision=1)
    ledger.commit(
        Checkpoint(
            revision=1,
            generation=1,
            high_water=LATE.split("/", 3)[-1],
            recent={Path(LATE).name: 1},
            listed_at="2026-01-02T04:00:00+00:00",
        )
    )
    return ledger


def states(ledger: LedgerWriter) -> dict[str, FileState]:
    return table_accounting(LakeStorage(ledger.root), AUTO_PARTS).states


def test_each_file_is_accounted_for_or_pending_or_named(ledger, tmp_path):
    (tmp_path / EARLY).rename(tmp_path / EARLY.replace("-0304", "-0100"))  # older than the look-back window
    assert states(ledger) == {
        LOAD: FileState.ACCOUNTED,
        LATE: FileState.ACCOUNTED,
        NEW: FileState.PENDING,
        EARLY.replace("-0304", "-0100"): FileState.UNACCOUNTED,
    }


def test_an_account_that_was_never_committed_is_none(ledger):
    ledger.audit("db-2", {"file": NEW, "applied": 1}, revision=2)
    assert states(ledger)[NEW] is FileState.PENDING
    audit = audit_file(LakeStorage(ledger.root), NEW)
    assert (audit.state, audit.is_in_raw, len(audit.accounts)) == (FileState.PENDING, True, 1)
    assert not audit.accounts[0].is_committed


def test_an_accounted_file_that_raw_has_lost_is_gone(ledger, tmp_path):
    (tmp_path / LATE).unlink()
    assert states(ledger)[LATE] is FileState.GONE
    assert not audit_file(LakeStorage(tmp_path), LATE).is_in_raw


def test_changes_and_parts_of_a_load_wait_for_a_complete_load(tmp_path):
    ledger = LedgerWriter(tmp_path)
    for path in (LOAD, NEW):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert states(ledger) == {NEW: FileState.WAITING}
    assert audit_file(LakeStorage(tmp_path), LOAD).state is FileState.WAITING
    assert audit_file(LakeStorage(tmp_path), LATE).state is FileState.UNKNOWN


def accounting(file: TableFile, *accounts, pending=(), generation=1) -> TableAccounting:
    return TableAccounting(
        contract=AUTO_PARTS, files=(file,), pending=frozenset(pending), generation=generation, accounts=accounts
    )


def test_an_older_load_that_a_newer_one_replaced_needs_no_account():
    file = TableFile(path=LOAD, kind=FileKind.LOAD, day="20260102", generation=1)
    assert accounting(file, generation=1).states == {LOAD: FileState.UNACCOUNTED}
    assert accounting(file, generation=2).states == {LOAD: FileState.OUTDATED}


def test_a_delivery_is_accounted_for_with_the_content_that_it_has(tmp_path):
    lake = LakeStorage(tmp_path)
    path = f"{feed_prefix('customers')}/customers-20260102.csv"
    receipt = tmp_path / TRANSFER_RECEIPTS / "customers" / "customers-20260102.csv.json"
    for file, text in ((tmp_path / path, "12345"), (receipt, json.dumps({"size": 5, "sha256": "new"}))):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (found,) = table_accounting(lake, TABLES["customers"]).files
    assert (found.path, found.day, found.etag) == (path, "20260102", "new")

    ledger = LedgerWriter(tmp_path, "customers")
    ledger.audit("csv-1", {"file": path, "applied": 1, "etag": "old"}, revision=0)
    ledger.audit("csv-2", {"file": path, "applied": 1, "etag": "new"}, revision=0)
    from autocorp_assets.lake.audit import as_committed, read_accounts

    old, new = as_committed(read_accounts(lake, TABLES["customers"]), 0)
    assert accounting(found, old).states == {path: FileState.UNACCOUNTED}
    assert accounting(found, old, pending=[path]).states == {path: FileState.PENDING}
    assert accounting(found, old, new).states == {path: FileState.ACCOUNTED}


def test_a_file_is_found_by_its_path_and_by_its_name(ledger, tmp_path, monkeypatch):
    lake = LakeStorage(tmp_path)
    load(tmp_path, TABLES["service"], [{"serviceid": "S-1"}])
    assert find_files(lake, LATE) == [LATE]
    assert find_files(lake, str(tmp_path / LATE)) == [LATE]
    assert find_files(lake, Path(LATE).name) == [LATE]
    assert find_files(lake, "LOAD00000001.parquet") == [LOAD, LOAD.replace("auto_parts", "service")]
    assert find_files(lake, "LOAD00000001.parquet", ["service"]) == [LOAD.replace("auto_parts", "service")]
    assert find_files(lake, "no_such.parquet") == []
    monkeypatch.chdir(tmp_path / DAY)
    assert find_files(lake, f"./{Path(LATE).name}") == [LATE]
    (tmp_path / LATE).unlink()
    assert find_files(lake, Path(LATE).name) == [LATE], "the audit still knows it"
