import json
from dataclasses import replace

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import AUDIT
from autocorp_assets.lake.audit import Account
from autocorp_assets.lake.rebuilding import RebuildError, arrivals, plan_rebuild
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.curated.conftest import PARTS, load
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.from_nothing import in_order_of_arrival
from spark_jobs.plan import FileKind, SourceFile

FOLDER = "raw/csv/customers"
LOAD = "raw/database/auto_parts/LOAD00000001.parquet"


def content(day: int, etag: str, *, aside: bool = False) -> SourceFile:
    path = f"{FOLDER}/customers-2024010{day}.csv"
    current = SourceFile(path=path, kind=FileKind.CSV, day=f"2024010{day}", etag=etag)
    return replace(current, path=f"aside/{etag}", delivered_as=path) if aside else current


def account(day: int, etag: str) -> Account:
    line = {"table": "customers", "file": f"{FOLDER}/customers-2024010{day}.csv", "run_id": "", "etag": etag}
    counts = dict.fromkeys(("read", "applied", "unchanged", "superseded", "duplicate", "quarantined"), 0)
    return Account.from_line(json.dumps({**line, **counts, "written_at": "2024-01-02T03:04:05+00:00"}), "1")


def numbered(files: list[SourceFile], known: dict) -> list[tuple[int, str, str]]:
    return [(file.ordinal, file.day[-1], file.etag) for file in in_order_of_arrival(files, known)]


def test_contents_keep_the_order_in_which_runs_have_seen_them():
    seen = [account(2, "a"), account(1, "b"), account(2, "a"), account(2, "c"), account(2, "a")]
    known = arrivals(seen, {})

    assert known == {
        ("customers-20240102.csv", "a"): (1, 4),
        ("customers-20240101.csv", "b"): (2,),
        ("customers-20240102.csv", "c"): (3,),
    }
    aside = [content(2, "a", aside=True), content(2, "c", aside=True)]
    files = [content(1, "b"), content(2, "a"), content(3, "new"), *aside]
    assert numbered(files, known) == [(1, "2", "a"), (2, "1", "b"), (3, "2", "c"), (4, "2", "a"), (5, "3", "new")]


def test_what_the_table_remembers_counts_more_than_the_audit():
    name = "customers-20240102.csv"

    assert arrivals([account(2, "a")], {(name, "a"): 7, (name, "b"): 8}) == {(name, "a"): (7,), (name, "b"): (8,)}


def test_without_knowing_the_order_of_a_names_contents_the_current_one_comes_last():
    files = [content(1, "b"), content(2, "z"), content(2, "y", aside=True), content(2, "x", aside=True)]

    assert numbered(files, {("customers-20240102.csv", "z"): (1,)}) == [
        (1, "1", "b"),
        (2, "2", "y"),
        (3, "2", "x"),
        (4, "2", "z"),
    ]


def test_files_that_are_gone_are_named_and_nothing_is_planned_unless_it_is_meant(tmp_path):
    load(tmp_path, TABLES["auto_parts"], PARTS)
    ledger = LedgerWriter(tmp_path)
    counts = {"read": 2, "applied": 2, "unchanged": 0, "superseded": 0, "duplicate": 0}
    ledger.audit("one", {"file": LOAD, **counts}, {"file": f"{LOAD}.lost", **counts}, revision=1)
    ledger.audit("dead", {"file": f"{LOAD}.never", **counts}, revision=2)
    ledger.commit(Checkpoint(revision=1, generation=1))
    lake = LakeStorage(tmp_path)

    with pytest.raises(RebuildError, match=r"made from 1 raw file\(s\) that are gone: .*01\.parquet\.lost\. Nothing"):
        plan_rebuild(lake, "auto_parts")
    plan = plan_rebuild(lake, "auto_parts", without_missing=True)
    assert [(file.path, file.judged_before) for file in plan.files] == [(LOAD, True)]
    assert (plan.from_nothing, plan.base_commit, plan.checkpoint) == (True, "0", Checkpoint(revision=1))

    (tmp_path / LOAD).unlink()
    with pytest.raises(RebuildError, match=r"made from 2 raw file\(s\)"):
        plan_rebuild(lake, "auto_parts")


def test_a_table_of_which_raw_has_nothing_is_left_as_it_is(tmp_path):
    with pytest.raises(RebuildError, match="raw has nothing of service"):
        plan_rebuild(LakeStorage(tmp_path), "service")


def test_a_table_whose_folder_is_gone_is_pending_as_a_whole(tmp_path):
    load(tmp_path, TABLES["auto_parts"], PARTS)
    lake = LakeStorage(tmp_path)
    assert not lake.pending_plans(["auto_parts"])["auto_parts"].from_nothing
    LedgerWriter(tmp_path).audit("one", {"file": LOAD, "read": 2}, revision=7)
    assert (tmp_path / AUDIT).exists()

    plan = lake.pending_plans(["auto_parts"])["auto_parts"]

    assert (plan.from_nothing, [file.path for file in plan.files]) == (True, [LOAD])
    assert (plan.base_commit, plan.checkpoint) == (None, Checkpoint())
