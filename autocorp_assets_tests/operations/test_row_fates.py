"""What became of each version of a row, from its place among the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import SourceSystem
from autocorp_assets.lake.row_versions import Version
from autocorp_assets.operations.row_fates import Circumstances, StoredRow, judge

PARTS = TABLES["auto_parts"]
ORDERS = TABLES["sales_order"]
LINES = TABLES["sales_order_parts"]
OVERTAKEN = "superseded by a later version"
CURRENT = "in the lake: its current row"


def change(number: int, operation: str = "update", *, file: str = "", generation: int = 1, **values: Any) -> Version:
    unchanged = values.pop("unchanged", ())
    seq = f"{generation:06d}.{number if operation != 'load' else 0:035d}.{file:0>17}.{0:012d}"
    return Version(
        record_key="A",
        system=SourceSystem.DATABASE,
        operation=operation,
        at=datetime(2024, 1, 1, tzinfo=UTC),
        file=file or f"file {number}",
        position=0,
        change_seq=seq,
        values={"sku": "A", **values},
        unchanged=unchanged,
        order=(seq,),
    )


def row(day: str, position: int = 1, *, ordinal: int | None = 1, aside: bool = False, **values: Any) -> Version:
    name = f"feed-{day}.csv"
    return Version(
        record_key="csv:1",
        system=SourceSystem.CSV,
        operation="delivery",
        at=None,
        file=f"raw/csv/_superseded/feed/abc-{name}" if aside else f"raw/csv/feed/{name}",
        position=position,
        change_seq=f"{day}.{ordinal:06d}.{position:012d}" if ordinal else None,
        values=values,
        is_kept_aside=aside,
        order=(day, not aside, position),
    )


def stored(version: Version, change_seq: str | None = None) -> StoredRow:
    seq = change_seq or version.change_seq or ""
    return StoredRow(record_key="A", change_seq=seq, changed_at=None, raw_file=version.file, commit=None)


def fates(versions: list[Version], kept: StoredRow | None, contract=PARTS, **circumstances: Any) -> list[str]:
    known = replace(Circumstances(contract=contract, generation=1), **circumstances)
    return [traced.became for traced in judge(versions, kept, known)]


def test_the_stored_version_is_current_and_the_others_are_overtaken():
    versions = [change(0, "load", price=1), change(1, price=2), change(2, price=3)]
    assert fates(versions, stored(versions[2])) == [OVERTAKEN, OVERTAKEN, CURRENT]


def test_a_deleted_record_tells_by_which_change():
    versions = [change(1, "insert"), change(2, "delete")]
    assert fates(versions, None) == [OVERTAKEN, "applied: the record is deleted"]


def test_a_change_delivered_twice_is_told_from_two_changes():
    versions = [change(1, file="1"), change(1, file="2"), change(2)]
    told = "duplicate: the same change was delivered again"
    assert fates(versions, stored(versions[2])) == [told, OVERTAKEN, CURRENT]


def test_what_is_kept_out_or_yet_to_come_leaves_the_last_good_version_in_the_lake():
    versions = [change(1, price=1), change(2, price=2), change(3, price=3)]
    told = fates(
        versions,
        stored(versions[0]),
        quarantined={("file 2", 0): ("price: does not fit",)},
        pending=frozenset({"file 3"}),
    )
    assert told == [CURRENT, "in quarantine: price: does not fit", "pending: the next run takes it in"]
    assert fates(versions[:1], None, generation=0) == ["waiting: no complete load is there yet"]


def test_a_newer_load_takes_what_it_does_not_hold():
    versions = [change(0, "load"), change(1)]
    assert fates(versions, None, generation=2) == [OVERTAKEN, "superseded by load 2, which does not hold it"]


def test_a_row_that_the_lake_lost_is_called_so():
    versions = [change(1), change(2)]
    for kept in (None, stored(versions[0])):
        assert fates(versions, kept)[1].startswith("NOT IN THE LAKE: `autocorp reconcile auto_parts`")


def test_a_repeated_delivery_says_what_the_lake_has_whatever_its_numbers_look_like():
    versions = [
        row("20240101", subtotal="1234.5", status="Open"),
        row("20240102", ordinal=2, subtotal="$1,234.50", status="Open"),
        row("20240103", ordinal=3, subtotal="1234.5", status="Closed"),
    ]
    told = fates(versions, stored(versions[0]), ORDERS)
    assert told[:2] == [CURRENT, "unchanged: it says what the lake has"]
    assert told[2].startswith("not the stored row: `autocorp audit raw/csv/feed/feed-20240103.csv`")


def test_replaced_content_is_superseded_or_still_what_the_lake_has():
    old, new = row("20240101", ordinal=None, aside=True, status="Open"), row("20240101", ordinal=2, status="Open")
    assert fates([old, new], stored(new), ORDERS) == ["superseded: a corrected file took its file's place", CURRENT]
    kept = stored(new, "20240101.000001.000000000001")
    assert fates([old, new], kept, ORDERS) == [CURRENT, "unchanged: it says what the lake has"]


def test_a_later_delivery_replaces_all_lines_of_an_order():
    line = row("20240101", sku="A")
    told = fates([line], None, LINES, newest_delivery="raw/csv/feed/feed-20240102.csv")
    assert told == ["superseded: a later delivery replaced the order's lines"]


def test_columns_that_changed_are_named_and_untouched_large_values_are_none():
    versions = [
        change(1, "insert", name="pad", price=1, vendor=None),
        change(2, name="pad", price=2, unchanged=("description",)),
        change(3, name="pad", price=2, description="long"),
        change(4, "delete"),
        change(5, "insert", name="pad"),
    ]
    known = Circumstances(contract=PARTS, generation=1)
    assert [traced.changed for traced in judge(versions, None, known)] == [
        ("sku", "name", "price"),
        ("price",),
        (),
        (),
        ("sku", "name"),
    ]
