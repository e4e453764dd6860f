"""Exports get from the landing folder into raw whole, once, and again when they were corrected."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from autocorp_assets.contracts import FEEDS
from autocorp_assets.contracts.raw_format import SUPERSEDED_DELIVERIES, TRANSFER_RECEIPTS, feed_prefix
from autocorp_assets.lake.export_names import why_ignored
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.local.transfer import TransferError, TransferReport, arrivals, has_arrivals, transfer
from autocorp_assets_tests.durability import Flushed
from autocorp_assets_tests.full_disk import full_disk

FEED = "customers"
NAME = "customers-20241121.csv"
CONTENT = b"first_name,last_name\nAda,Lovelace\n"
LATER = b"first_name,last_name\nAda,Byron...\n"


class Shop:
    """A landing folder and a lake."""

    def __init__(self, folder: Path) -> None:
        self.landing = folder / "landing"
        self.lake = folder / "lake"
        self.landing.mkdir()

    def put(self, content: bytes, name: str = NAME, *, age_seconds: float = 60) -> Path:
        path = self.landing / name
        path.write_bytes(content)
        modified = time.time() - age_seconds
        os.utime(path, (modified, modified))
        return path

    def transfer(self) -> TransferReport:
        return transfer(FEED, landing=self.landing, lake=self.lake)

    def has_arrivals(self) -> bool:
        return has_arrivals(FEED, self.landing, self.lake)

    @property
    def delivery(self) -> Path:
        return self.lake / feed_prefix(FEED) / NAME

    @property
    def receipt(self) -> Path:
        return self.lake / TRANSFER_RECEIPTS / FEED / f"{NAME}.json"

    def visible(self) -> dict[str, str]:
        """What curation sees: sha256 by name."""
        return {delivery.name: delivery.etag for delivery in LakeStorage(self.lake).deliveries(FEED)}

    def superseded(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.lake / SUPERSEDED_DELIVERIES / FEED).iterdir()}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_whole_file_becomes_a_visible_delivery_and_stays_in_landing(shop: Shop) -> None:
    source = shop.put(CONTENT)
    assert shop.has_arrivals()

    report = shop.transfer()

    assert [(file.name, file.bytes, file.sha256, file.replaced) for file in report.copied] == [
        (NAME, len(CONTENT), sha256(CONTENT), None)
    ]
    assert shop.visible() == {NAME: sha256(CONTENT)}
    assert shop.delivery.read_bytes() == source.read_bytes() == CONTENT
    assert not shop.has_arrivals()


def test_no_landing_folder_means_no_arrivals(tmp_path: Path) -> None:
    assert not has_arrivals(FEED, tmp_path / "none", tmp_path / "lake")
    assert transfer(FEED, landing=tmp_path / "none", lake=tmp_path / "lake").copied == ()


def test_size_and_time_alone_tell_that_a_file_is_known(shop: Shop) -> None:
    source = shop.put(CONTENT)
    shop.transfer()
    modified = source.stat().st_mtime_ns
    source.write_bytes(LATER)  # a reader of the content would notice
    os.utime(source, ns=(modified, modified))
    assert not shop.has_arrivals()
    assert shop.transfer().unchanged == (NAME,)


def test_a_file_that_was_only_touched_is_known_again_after_one_look(shop: Shop) -> None:
    shop.put(CONTENT, age_seconds=60)
    shop.transfer()
    inode = shop.delivery.stat().st_ino
    shop.put(CONTENT, age_seconds=30)
    assert shop.has_arrivals()

    assert shop.transfer().unchanged == (NAME,)

    assert shop.delivery.stat().st_ino == inode
    assert shop.superseded() == {}
    assert not shop.has_arrivals()


def test_a_corrected_file_replaces_the_delivery_and_the_old_content_is_kept(shop: Shop) -> None:
    assert len(LATER) == len(CONTENT)  # the hard case: the size alone tells nothing
    shop.put(CONTENT, age_seconds=60)
    shop.transfer()
    shop.put(LATER, age_seconds=30)

    report = shop.transfer()

    assert [file.replaced for file in report.copied] == [sha256(CONTENT)]
    assert shop.visible() == {NAME: sha256(LATER)}
    assert shop.superseded() == {f"{sha256(CONTENT)}-{NAME}": CONTENT}


def test_a_correction_taken_back_is_a_delivery_as_well(shop: Shop) -> None:
    for age, content in ((90, CONTENT), (60, LATER), (30, CONTENT)):
        shop.put(content, age_seconds=age)
        shop.transfer()
    assert shop.visible() == {NAME: sha256(CONTENT)}
    assert set(shop.superseded().values()) == {CONTENT, LATER}


def test_a_file_that_grew_a_moment_ago_waits(shop: Shop) -> None:
    shop.put(CONTENT, age_seconds=0)
    assert not shop.has_arrivals()
    assert shop.transfer().waiting == (NAME,)
    assert shop.visible() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a file open")
def test_a_file_that_is_open_for_writing_waits_however_old_it_looks(shop: Shop) -> None:
    source = shop.put(CONTENT)
    with source.open("ab"):
        assert not shop.has_arrivals()
        assert shop.transfer().waiting == (NAME,)
    assert [file.name for file in shop.transfer().copied] == [NAME]


def test_a_clock_that_is_ahead_does_not_hold_a_file_for_ever(shop: Shop) -> None:
    shop.put(CONTENT, age_seconds=-3600)
    assert [file.name for file in shop.transfer().copied] == [NAME]


def test_a_damaged_delivery_is_invisible_and_repaired(shop: Shop) -> None:
    shop.put(CONTENT)
    shop.transfer()
    shop.delivery.write_bytes(CONTENT[:5])
    assert shop.visible() == {}
    assert shop.has_arrivals()

    shop.transfer()

    assert shop.visible() == {NAME: sha256(CONTENT)}
    assert shop.superseded() == {}  # half a file was never a delivery


def test_arrivals_name_each_version_of_a_file_once(shop: Shop) -> None:
    shop.put(CONTENT, age_seconds=60)
    first = arrivals(FEED, landing=shop.landing, lake=shop.lake)
    assert arrivals(FEED, landing=shop.landing, lake=shop.lake) == first
    shop.put(LATER, age_seconds=30)
    assert len(first) == 1
    assert set(arrivals(FEED, landing=shop.landing, lake=shop.lake)).isdisjoint(first)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("customers-20241121.csv.gz", "unpack it to customers-YYYYMMDD.csv"),
        ("customers-2024.csv", "rename it to customers-YYYYMMDD.csv"),
        ("Customers-20241121.CSV", "rename it to customers-YYYYMMDD.csv"),
        ("customers_20241121.csv", "rename it to customers-YYYYMMDD.csv"),
        ("customers-20241121 (1).csv", "rename it to customers-YYYYMMDD.csv"),
        ("customers-20241121.csv.part", "rename it to customers-YYYYMMDD.csv"),
        ("customers-20241399.csv", "20241399 is not a date"),
    ],
)
def test_near_misses_are_reported_with_a_remedy(shop: Shop, name: str, remedy: str) -> None:
    shop.put(CONTENT, name)
    assert shop.has_arrivals()  # a run tells of it
    report = shop.transfer()
    assert report.copied == ()
    assert [ignored for ignored, _ in report.ignored] == [name]
    assert remedy in report.ignored[0][1]


def test_a_folder_with_the_name_of_a_file_is_reported(shop: Shop) -> None:
    (shop.landing / NAME).mkdir()
    assert "not a file" in dict(shop.transfer().ignored)[NAME]


def test_files_of_other_feeds_and_of_nobody_are_no_near_misses() -> None:
    names = [f"{feed}-20241121.csv" for feed in FEEDS] + ["notes.txt", ".customers-20241121.csv.swp", "customerservice"]
    for feed in FEEDS.values():
        assert [why_ignored(name, feed) for name in names] == [None] * len(names)


def test_a_lake_that_cannot_be_written_is_an_error_with_a_remedy(shop: Shop) -> None:
    shop.put(CONTENT)
    shop.lake.write_text("a file is in the way")
    with pytest.raises(TransferError, match=r"customers was not brought into raw .* may write there"):
        shop.transfer()


def _transfer_until_line(shop: Shop, line: int) -> None:
    """A transfer that is killed at the n-th line that it executes in the module that writes."""
    executed = 0

    def trace(frame, event, argument):
        nonlocal executed
        if not frame.f_code.co_filename.endswith("deliveries.py"):
            return None
        if event == "line":
            executed += 1
            if executed == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    shop.transfer()


def _is_killed(shop: Shop, line: int) -> bool:
    process = multiprocessing.get_context("fork").Process(target=_transfer_until_line, args=(shop, line))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_a_correction_killed_at_any_line_is_finished_by_the_next_transfer(tmp_path: Path) -> None:
    line = 1
    killed = True
    while killed:
        (tmp_path / str(line)).mkdir()
        shop = Shop(tmp_path / str(line))
        shop.put(CONTENT, age_seconds=60)
        shop.transfer()
        shop.put(LATER, age_seconds=30)

        killed = _is_killed(shop, line)

        assert shop.visible().items() <= {(NAME, sha256(CONTENT)), (NAME, sha256(LATER))}, line
        for name, etag in shop.visible().items():
            assert sha256((shop.delivery.parent / name).read_bytes()) == etag, line
        shop.transfer()
        assert shop.visible() == {NAME: sha256(LATER)}, line
        assert shop.superseded() == {f"{sha256(CONTENT)}-{NAME}": CONTENT}, line
        assert not shop.has_arrivals(), line
        line += 1
    assert line > 30  # or the kill did not reach the steps


def test_a_delivery_killed_before_its_receipt_is_not_lost_when_its_source_goes(shop: Shop) -> None:
    source = shop.put(CONTENT)
    shop.transfer()
    shop.receipt.unlink()
    source.unlink()
    shop.transfer()
    assert shop.visible() == {NAME: sha256(CONTENT)}
    assert json.loads(shop.receipt.read_bytes())["source"] == NAME


def test_a_full_disk_leaves_the_delivery_as_it_was_and_the_next_transfer_takes_the_file(shop: Shop) -> None:
    shop.put(CONTENT)
    shop.transfer()
    before = shop.visible()
    shop.put(LATER * 100)
    with full_disk(room_bytes=1000), pytest.raises(TransferError, match="free space on the disk"):
        shop.transfer()

    assert shop.visible() == before
    assert shop.has_arrivals()
    assert [file.name for file in shop.transfer().copied] == [NAME]
    assert shop.delivery.read_bytes() == LATER * 100


def test_a_delivery_and_what_it_replaced_survive_a_power_cut(shop: Shop, monkeypatch) -> None:
    flushed = Flushed(monkeypatch)
    for content in (CONTENT, LATER):
        shop.put(content)
        shop.transfer()

    assert flushed.missing(shop.lake, "**/*.csv", "**/*.json") == []
