"""A table made anew from raw is the one that was there, whatever has happened to it, and wherever a rebuild dies."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import SUPERSEDED_DELIVERIES, feed_prefix
from autocorp_assets.lake.accounting import FileState, table_accounting
from autocorp_assets.lake.quarantine import Quarantine
from autocorp_assets.lake.rebuilding import RebuildError, plan_rebuild
from autocorp_assets.lake.snapshots import read_head
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets_tests.spark_jobs.lake import Lake
from autocorp_assets_tests.spark_jobs.raw_zone import Change
from autocorp_assets_tests.spark_jobs.test_crashes import death
from autocorp_assets_tests.spark_jobs.test_schema_evolution import named, stored_types
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.table_shape import SchemaError

pytestmark = pytest.mark.spark

Rows = dict[Any, dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """A table, in the terms of the histories below."""

    table: str
    value: str
    text: str
    """A large column."""
    number: str
    """A column whose type does not hold every value of the source's."""
    cells: Callable[[str, str], list[str]] | None = None
    """Rows of an export, by key and value."""
    dirty: str = ""
    """A row that is kept out."""

    def row(self, number: int, value: str, text: str | None = "text", **values: Any) -> dict[str, Any]:
        key = TABLES[self.table].primary_key
        return {key: number if key != "sku" else f"{number}", self.value: value, self.text: text, **values}

    def update(self, sequence: int, number: int, value: str, text: str | None = None, **values: Any) -> Change:
        """Without a text, it does not carry the large value."""
        unchanged = () if text else (self.text,)
        return Change("U", sequence, self.row(number, value, text, **values), unchanged=unchanged)

    def delete(self, sequence: int, number: int) -> Change:
        key = TABLES[self.table].primary_key
        return Change("D", sequence, {key: self.row(number, "")[key]})

    def broken(self, op: str | None, sequence: int, number: int) -> Change:
        return Change(op, sequence, self.row(number, "broken"), literal={self.number: "NaN"})

    def export(self, *rows: tuple[str, str]) -> str:
        feed = TABLES[self.table].csv_feed
        assert feed is not None
        assert self.cells is not None
        lines = [line for key, value in rows for line in self.cells(key, value)]
        return "\n".join([",".join(feed.columns), *lines, self.dirty]) + "\n"


SUBJECTS = [
    Subject(
        "sales_order_parts",
        "sku",
        "part_description",
        "quantity",
        lambda key, value: [f"{key},{value},x,1,1.00,1.00", f"{key},same,x,2,1.00,2.00"],
        "9,dirty,x,0,1.00,0.00",
    ),
    Subject("auto_parts", "name", "description", "price"),
]


def deliver(lake: Lake, feed: str, day: str, text: str) -> None:
    """As transfer does it: content that is replaced is kept aside."""
    path = lake.root / feed_prefix(feed) / f"{feed}-{day}.csv"
    if path.exists():
        aside = lake.root / SUPERSEDED_DELIVERIES / feed
        aside.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, aside / f"{hashlib.sha256(path.read_bytes()).hexdigest()}-{path.name}")
    lake.raw.csv(feed, day, text)


def tell(lake: Lake, subject: Subject) -> None:
    """Updates, deletes, a late file, a reload, repeated and corrected and late exports, rows that are kept out."""
    table, raw, s = subject.table, lake.raw, subject
    feed = TABLES[table].csv_feed

    def export(day: str, *rows: tuple[str, str]) -> None:
        if feed:
            deliver(lake, feed.name, day, s.export(*rows))

    raw.load(table, [s.row(number, "a") for number in range(1, 8)])
    raw.change_file(
        table,
        [s.update(10, 1, "b", "new"), s.delete(11, 2), Change("I", 12, s.row(8, "a"))],
        second=1,
    )
    export("20240101", ("1", "a"), ("2", "a"), ("3", "a"))
    export("20240102", ("1", "a"), ("2", "b"), ("3", "a"), ("4", "a"))
    lake.curate(table)

    raw.change_file(table, [s.update(20, 1, "c"), s.broken("U", 21, 5), Change("I", 22, s.row(2, "again"))], second=2)
    raw.change_file(table, [s.delete(23, 8)], second=3)
    export("20240102", ("1", "a"), ("2", "corrected"), ("3", "a"))  # no longer has 4
    lake.curate(table)

    raw.put(
        table, "year=2024/month=11/day=21/20241121-095000000-0000000000-00.parquet", [s.update(15, 3, "late", "late")]
    )
    export("20231230", ("1", "late"), ("5", "late"))
    export("20240103", ("1", "d"), ("3", "a"), ("6", "a"))
    lake.curate(table)

    same = [s.row(1, "c", "new"), s.row(2, "again"), s.row(3, "late", "late"), s.row(7, "a")]
    rows = [*same, s.row(4, "changed"), s.row(9, "new"), s.broken(None, 0, 5)]
    raw.load(table, rows, generation=2, before=30)  # 6 has vanished
    raw.change_file(table, [s.update(40, 7, "e"), s.delete(41, 9)], second=40)
    lake.curate(table)

    raw.change_file(table, [s.update(50, 2, "f"), s.update(40, 7, "e")], second=50)  # the last one is sent again
    export("20240104", ("1", "d"), ("2", "corrected"))
    lake.curate(table)


def stored(lake: Lake, table: str) -> Rows:
    """Whole rows by record key, but for the format's own columns."""
    contract = TABLES[table]
    frame = lake.spark.newSession().read.format(str(contract.format)).load(str(lake.root / contract.lake_path))
    names = [name for name in frame.columns if not name.startswith("_hoodie_")]
    rows = [row.asDict() for row in frame.select(*names).collect()]
    assert len(rows) == len({row[contract.record_key] for row in rows}), "a record is stored twice"
    return {row[contract.record_key]: row for row in rows}


def kept_out(lake: Lake, table: str) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(row.file, row.position, row.reasons) for row in Quarantine(LakeStorage(lake.root), TABLES[table]).rows()]


def checkpoint(lake: Lake, table: str) -> Checkpoint:
    head = read_head(lake.root, TABLES[table])
    assert head is not None
    assert head.checkpoint is not None
    return head.checkpoint


def remembered(lake: Lake, table: str) -> Checkpoint:
    """The checkpoint, but for when and how often something was committed."""
    return replace(checkpoint(lake, table), listed_at="", revision=0, recent={})


def rebuild(lake: Lake, table: str) -> Any:
    return lake.curate(table, plan_rebuild(LakeStorage(lake.root), table))


def assert_accounted(lake: Lake, table: str) -> None:
    accounting = table_accounting(LakeStorage(lake.root), TABLES[table])
    assert set(accounting.states.values()) == {FileState.ACCOUNTED}
    assert accounting.not_adding_up == []


@pytest.mark.parametrize("subject", SUBJECTS, ids=[subject.table for subject in SUBJECTS])
def test_it_equals_what_was_there_value_by_value(lake: Lake, subject: Subject, monkeypatch):
    table = subject.table
    tell(lake, subject)
    before, out, memory = stored(lake, table), kept_out(lake, table), remembered(lake, table)
    revision, then = checkpoint(lake, table).revision, datetime.now(UTC)

    with death("before commit", monkeypatch):
        rebuild(lake, table)
    assert (stored(lake, table), kept_out(lake, table)) == (before, out)
    report = rebuild(lake, table)

    assert stored(lake, table) == before
    assert (kept_out(lake, table), remembered(lake, table)) == (out, memory)
    assert (report.upserted, report.deleted) == (len(before), 0)
    assert checkpoint(lake, table).revision == revision + (2 if subject.cells else 1)
    assert lake.plan(table).is_empty
    assert_accounted(lake, table)
    asked = LakeQuery(lake.root).run(f"SELECT count(*) FROM {table}", as_of=then)  # noqa: S608
    assert list(asked.rows()) == [(len(before),)]

    # Somebody removes the folder: what audit and quarantine say of it is of another life.
    shutil.rmtree(lake.root / TABLES[table].lake_path)
    lake.raw.change_file(table, [subject.update(60, 4, "g", "after")], second=60)
    lake.curate(table)
    now = stored(lake, table)
    changed = {key for key in before if before[key] != now[key]}
    assert [now[key][subject.value] for key in changed] == ["g"]
    assert now.keys() == before.keys()
    assert kept_out(lake, table) == out
    assert_accounted(lake, table)
    assert lake.plan(table).is_empty


def test_orders_that_have_moved_between_months_are_made_anew_where_they_ended(lake: Lake):
    def order(number: int, month: int) -> dict[str, Any]:
        return {"order_id": number, "order_date": datetime(2024, month, 1), "status": "x"}

    lake.raw.load("sales_order", [order(1, 1), order(2, 1), order(3, 2)])
    lake.curate("sales_order")
    lake.raw.change_file("sales_order", [Change("U", 10, order(1, 6)), Change("U", 11, order(3, 1))], second=1)
    lake.curate("sales_order")
    before, folders = stored(lake, "sales_order"), lake.rows("sales_order", "_hoodie_partition_path")

    rebuild(lake, "sales_order")

    assert stored(lake, "sales_order") == before
    assert lake.rows("sales_order", "_hoodie_partition_path") == folders
    assert len(set(folders.values())) == 2


def test_stored_types_follow_the_contract_where_the_format_can_and_else_the_table_is_moved_aside(
    lake: Lake, either_format, key_of, monkeypatch
):
    table, key = either_format, TABLES[either_format].primary_key
    as_text = named(table, "quantity", "VARCHAR(50)")
    lake.raw.load(table, [{key: number, "quantity": number} for number in (1, 2, 3)])
    lake.curate(table, contract=as_text)
    then = datetime.now(UTC)
    gone = lake.raw.change_file(table, [Change("U", 1, {key: 1, "quantity": 10}), Change("D", 2, {key: 2})], second=1)
    if table == "sales_order_parts":
        with pytest.raises(SchemaError, match=f"autocorp rebuild {table}"):
            lake.curate(table)
        with death("before commit", monkeypatch):
            rebuild(lake, table)
        # Moved aside, and not there: the next pass makes it from raw, whatever it was asked for.
        [aside] = (lake.root / "curated/replaced/hudi").iterdir()
        assert lake.spark.read.format("hudi").load(str(aside)).count() == 3
        lake.curate(table)
    else:
        rebuild(lake, table)
        asked = LakeQuery(lake.root).run(f"SELECT count(*) FROM {table}", as_of=then)  # noqa: S608
        assert list(asked.rows()) == [(3,)]

    assert lake.rows(table, "quantity") == {key_of(table, 1): 10, key_of(table, 3): 3}
    assert stored_types(lake, TABLES[table])["quantity"] == "int"
    assert lake.plan(table).is_empty

    # What the table was made from must be there.
    gone.unlink()
    storage = LakeStorage(lake.root)
    with pytest.raises(RebuildError, match=rf"1 raw file\(s\) that are gone: .*{gone.name}.*--without-missing"):
        plan_rebuild(storage, table)
    lake.curate(table, plan_rebuild(storage, table, without_missing=True))
    assert lake.rows(table, "quantity") == {key_of(table, number): number for number in (1, 2, 3)}
