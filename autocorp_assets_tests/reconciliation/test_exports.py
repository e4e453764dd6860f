"""Every record that an export named is in the lake, or it is told why not; told from files alone, without the job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.contracts.model import RAW_FILE, RECORD_KEY, SOURCE_SYSTEM, KeyForm, LakeFormat
from autocorp_assets.contracts.raw_format import SUPERSEDED_DELIVERIES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.reconciliation.exports import compare_exports
from autocorp_assets.reconciliation.findings import ExportReconciliation, Verdict
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from autocorp_assets_tests.spark_jobs.raw_zone import RawZone
from spark_jobs.change_seq import csv_change_seq
from spark_jobs.checkpoint import AppliedDelivery, Checkpoint

CUSTOMERS, LINES = "customers", "sales_order_parts"
FIRST, SECOND = "20240101", "20240102"
HEADER = ",".join(FEEDS[CUSTOMERS].columns)


@dataclass
class Table:
    """A table that is Delta, which needs no JVM, and its feed of the same name."""

    root: Path
    name: str
    deliveries: dict[str, AppliedDelivery] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def deliver(self, day: str, *cells: str) -> str:
        """A file with these rows; its path in the lake."""
        header = HEADER if self.name == CUSTOMERS else "order_id,sku,quantity"
        path = RawZone(self.root).csv(self.name, day, "\n".join([header, *cells, ""]))
        return path.relative_to(self.root).as_posix()

    def take_in(self, day: str, *, ordinal: int = 1, refused: str | None = None) -> None:
        (found,) = [one for one in LakeStorage(self.root).deliveries(self.name) if one.day == day]
        self.deliveries[found.name] = AppliedDelivery(
            etag=found.etag, size=found.size, day=day, ordinal=ordinal, refused=refused
        )

    def store(self, key: str, *, day: str = FIRST, ordinal: int = 1, system: str = "csv") -> None:
        feed = FEEDS[self.name]
        folded = hashlib.sha256(key.encode()).hexdigest() if feed.key_form is KeyForm.HASHED else key
        file = f"raw/csv/{self.name}/{self.name}-{day}.csv"
        change_seq = csv_change_seq(day, ordinal, 1)
        row = {RECORD_KEY: f"{system}:{folded}", SOURCE_SYSTEM: system, RAW_FILE: file, "change_seq": change_seq}
        self.rows.append(row)

    def keep_out(self, file: str, *positions: int) -> None:
        rows = [{"file": file, "position": position, "reasons": ["x: required"], "row": "{}"} for position in positions]
        LedgerWriter(self.root, self.name).quarantine("csv-1", *rows, revision=1)

    def compared(self) -> ExportReconciliation:
        LedgerWriter(self.root, self.name).commit(Checkpoint(revision=1, deliveries=self.deliveries), self.rows)
        return compare_exports(LakeStorage(self.root), TABLES[self.name], on_progress=lambda _: None)


@pytest.fixture(autouse=True)
def as_delta() -> Iterator[None]:
    changed = {name: replace(TABLES[name], format=LakeFormat.DELTA) for name in (CUSTOMERS, LINES)}
    with patch.dict(TABLES, changed):
        yield


@pytest.fixture
def customers(tmp_path) -> Table:
    return Table(tmp_path, CUSTOMERS)


@pytest.fixture
def lines(tmp_path) -> Table:
    return Table(tmp_path, LINES)


def person(email: str, street: str = "1 Main") -> str:
    return f"Ada,Lovelace,{email},1,{street},X,IL,1"


def told(found: ExportReconciliation) -> list[tuple[str, str]]:
    return [(str(finding.verdict), finding.detail) for finding in found.sample]


def test_records_of_all_files_are_there_however_their_keys_are_written(customers):
    customers.deliver(FIRST, person("a@x.org"), "", person(" B@x.org\u00a0", '"1 Main\nStreet"'), person("A@X.ORG"))
    customers.deliver(SECOND, person("b@x.org"), person("Zoë@x.org"))
    customers.take_in(FIRST)
    customers.take_in(SECOND, ordinal=2)
    for key in ("a@x.org", "b@x.org", "zoë@x.org"):
        customers.store(key)
    customers.store("1", system="db")

    found = customers.compared()

    assert found.describe() == (
        "5 rows of 2 exports are 3 records and 0 rows in quarantine, 3 are in the lake: all equal"
    )
    assert (found.differences, found.files, found.files_refused, found.files_waiting) == (0, 2, 0, 0)


def test_what_is_lost_added_or_doubled_is_named(customers):
    file = customers.deliver(FIRST, person("a@x.org"), person("b@x.org"), person(" "))
    customers.take_in(FIRST)
    for key in ("a@x.org", "a@x.org", "stranger@x.org"):
        customers.store(key)

    found = customers.compared()

    assert found.counts == {Verdict.MISSING: 2, Verdict.EXTRA: 1, Verdict.DOUBLED: 1}
    assert told(found) == [
        ("missing", f"{file}, row 3, which names no record and is not in quarantine"),
        ("missing", f"{file}, row 2"),
        ("extra", file),
        ("doubled", "2 times"),
    ]
    assert "x.org" not in str(found.sample)


def test_a_row_in_quarantine_is_not_lost_and_its_older_version_stays(customers):
    customers.deliver(FIRST, person("a@x.org"))
    newer = customers.deliver(SECOND, person("a@x.org"), person("b@x.org"), person(""), "too,few")
    customers.take_in(FIRST)
    customers.take_in(SECOND, ordinal=2)
    customers.keep_out(newer, 1, 2, 3, 4)
    customers.store("a@x.org")

    found = customers.compared()

    assert (found.differences, found.rows_read, found.rows_quarantined, found.keys) == (0, 5, 4, 1)


def test_a_delivery_of_lines_replaces_those_of_its_orders(lines):
    lines.deliver(FIRST, "7,A,1", "7,B,1", "8,A,1", "9,A,1", "9,B,1")
    newer = lines.deliver(SECOND, '"1,007",C,0', "7,D,0", "7,E,1", "$9,A,0")
    lines.take_in(FIRST)
    lines.take_in(SECOND, ordinal=2)
    # Line 1 of order 7, and all lines of order 9: those that it had before stay.
    lines.keep_out(newer, 2, 4)
    for key in ("7:2", "8:1", "9:1", "9:2", "1007:1"):
        lines.store(key)

    assert lines.compared().counts == {}

    lines.store("7:1")

    assert told(lines.compared())[0] == ("extra", f"raw/csv/{LINES}/{LINES}-{FIRST}.csv")


def test_files_refused_waiting_and_gone_are_counted_and_explain_what_they_can(customers):
    customers.deliver(FIRST, person("refused@x.org"))
    customers.take_in(FIRST, refused="not UTF-8")
    gone = customers.deliver(SECOND, person("gone@x.org"))
    customers.take_in(SECOND)
    customers.store("gone@x.org", day=SECOND)
    (customers.root / gone).unlink()
    customers.deliver("20240103", person("waiting@x.org"))

    found = customers.compared()

    assert (found.files, found.files_refused, found.files_waiting, found.files_gone) == (0, 1, 1, 1)
    assert told(found) == [("unsettled", f"{gone} is gone from raw")]


def test_a_corrected_file_leaves_what_it_does_not_name(customers):
    customers.deliver(FIRST, person("a@x.org"))
    customers.take_in(FIRST, ordinal=2)
    customers.store("a@x.org", ordinal=2)
    customers.store("only.before@x.org", ordinal=1)

    found = customers.compared()

    assert (found.differences, found.counts) == (0, {Verdict.REPLACED: 1})


def test_while_a_corrected_file_waits_the_content_that_was_taken_in_counts(customers):
    path = customers.deliver(FIRST, person("a@x.org"))
    customers.take_in(FIRST)
    customers.store("a@x.org")
    (applied,) = customers.deliveries.values()
    aside = customers.root / SUPERSEDED_DELIVERIES / CUSTOMERS / f"{applied.etag}-{path.rsplit('/', 1)[-1]}"
    aside.parent.mkdir(parents=True)
    (customers.root / path).rename(aside)
    customers.deliver(FIRST, person("other@x.org"), person("a@x.org"))

    found = customers.compared()

    assert (found.files, found.files_waiting, found.files_gone, found.keys, found.counts) == (1, 1, 0, 1, {})


def test_a_file_of_which_the_job_counted_other_rows_is_told_first(customers):
    file = customers.deliver(FIRST, person("a@x.org"))
    customers.take_in(FIRST)
    customers.store("a@x.org")
    LedgerWriter(customers.root, CUSTOMERS).audit("csv-1", {"file": file, "applied": 2}, revision=1)

    found = customers.compared()

    assert told(found) == [("unsettled", f"{file} has 1 rows here, and 2 by the account of its run")]


def test_a_table_that_does_not_exist_has_only_waiting_files(customers):
    customers.deliver(FIRST, person("a@x.org"))

    found = compare_exports(LakeStorage(customers.root), TABLES[CUSTOMERS], on_progress=lambda _: None)

    assert (found.commit, found.files_waiting, found.differences) == (None, 1, 0)
