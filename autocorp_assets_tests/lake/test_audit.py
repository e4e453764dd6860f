"""How each raw file stands, by what runs wrote of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import AUDIT
from autocorp_assets.lake.audit import read_accounts, standing_accounts
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint

PARTS = TABLES["auto_parts"]
ONE, TWO = (f"raw/database/auto_parts/20260102-03040500{number}.parquet" for number in (1, 2))


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerWriter:
    return LedgerWriter(tmp_path)


def states(ledger: LedgerWriter, **options: str) -> list[tuple[str, int, bool]]:
    accounts = read_accounts(LakeStorage(ledger.root), PARTS, **options)
    return [(account.batch, account.applied, account.is_committed) for account in accounts]


def test_an_account_tells_where_every_row_went(ledger):
    ledger.audit("db-1", {"file": ONE, "applied": 2, "quarantined": 1, "repairs": {"x": 1}, "etag": "e"}, revision=1)
    ledger.commit(Checkpoint(revision=1))
    (account,) = read_accounts(LakeStorage(ledger.root.as_uri()), PARTS)
    assert (account.file, account.read, account.applied, account.quarantined) == (ONE, 3, 2, 1)
    assert (account.run_id, account.repairs, account.etag, account.refused) == ("run of db-1", {"x": 1}, "e", None)
    assert account.adds_up
    assert account.is_committed


def test_a_batch_that_died_before_its_commit_is_told_apart(ledger):
    ledger.audit("db-1", {"file": ONE, "applied": 1}, revision=1)
    ledger.audit("db-2", {"file": TWO, "applied": 2}, revision=2)
    assert states(ledger) == [("db-1", 1, False), ("db-2", 2, False)], "there is no table yet"
    ledger.commit(Checkpoint(revision=1))
    assert states(ledger) == [("db-1", 1, True), ("db-2", 2, False)]


def test_a_file_stands_as_it_was_accounted_for_last(ledger):
    ledger.audit("db-0", {"file": ONE, "applied": 9}, {"file": TWO, "applied": 5}, revision=None)
    ledger.audit("db-7", {"file": ONE, "superseded": 9}, revision=7)
    ledger.audit("db-8", {"file": ONE, "duplicate": 9}, revision=8)
    ledger.commit(Checkpoint(revision=7))
    standing = standing_accounts(read_accounts(LakeStorage(ledger.root), PARTS))
    assert (standing[ONE].superseded, standing[TWO].applied) == (9, 5)
    assert states(ledger, mentioning=TWO) == [("db-0", 5, True)]


def test_a_damaged_audit_file_is_named(ledger):
    ledger.audit("db-1", {"file": ONE}, revision=1)
    (path,) = (ledger.root / AUDIT / "auto_parts").iterdir()
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ValueError, match=r"processed/audit/auto_parts/db-1\.jsonl is not whole lines of an audit"):
        read_accounts(LakeStorage(ledger.root), PARTS)
