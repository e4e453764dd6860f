"""A job that dies at any step, and is run again, leaves the rows and accounts of one that did not die."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import AUDIT, QUARANTINE
from autocorp_assets_tests.durability import Flushed
from autocorp_assets_tests.full_disk import full_disk
from autocorp_assets_tests.spark_jobs.lake import Lake
from autocorp_assets_tests.spark_jobs.raw_zone import Change
from spark_jobs.accounting import Ledger
from spark_jobs.lake_tables.delta import DeltaTable
from spark_jobs.lake_tables.hudi import HudiTable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

OUTCOMES = ("read", "applied", "unchanged", "superseded", "duplicate", "quarantined")


class DiedError(BaseException):
    """Not an Exception: nothing of the job's own may catch it, as nothing catches `kill -9`."""


@contextmanager
def death(moment: str, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Inside, the job dies before or after one of its writes."""
    when, what = moment.split()
    places = {
        "quarantine": [(Ledger, "write_quarantine")],
        "audit": [(Ledger, "write_audit")],
        "commit": [(table, name) for table in (HudiTable, DeltaTable) for name in ("commit", "replace_all")],
    }
    with monkeypatch.context() as patch:
        for owner, name in places[what]:
            real = getattr(owner, name)

            def dying(*arguments: Any, real: Any = real, **named: Any) -> None:
                if when == "after":
                    real(*arguments, **named)
                raise DiedError

            patch.setattr(owner, name, dying)
        with pytest.raises(DiedError):
            yield


def history(table: str) -> list[Change]:
    """Insert, update, delete, delete and insert again, and a value that no type can hold."""
    key = TABLES[table].primary_key
    return [
        Change("I", 1, {key: 1, "quantity": 1}),
        Change("U", 2, {key: 7, "quantity": 8}),
        Change("D", 3, {key: 8}),
        Change("D", 4, {key: 9}),
        Change("I", 5, {key: 9, "quantity": 9}),
        Change("U", 6, {key: 10}, literal={"quantity": "NaN"}),
    ]


def prepare(lake: Lake, table: str) -> None:
    """A table that holds its load, and has one change file pending."""
    key = TABLES[table].primary_key
    lake.raw.load(table, [{key: number, "quantity": 100} for number in (7, 8, 9, 10)])
    lake.curate(table)
    lake.raw.change_file(table, history(table), second=1)


def assert_as_without_a_crash(lake: Lake, table: str, key_of: Callable[[str, int], Any]) -> None:
    """Every row once, every raw row accounted for once, what was kept out there once."""
    key = TABLES[table].primary_key
    rows = {1: 1, 7: 8, 9: 9, 10: 100}
    assert lake.rows(table, "quantity") == {key_of(table, number): quantity for number, quantity in rows.items()}, key
    files = (lake.root / AUDIT / table).glob("*.jsonl")
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert sorted(tuple(line[outcome] for outcome in OUTCOMES) for line in lines) == [
        (4, 4, 0, 0, 0, 0),
        (6, 4, 0, 1, 0, 1),
    ]
    kept_out = lake.spark.read.parquet(str(lake.root / QUARANTINE / table)).filter("position IS NOT NULL")
    assert [row["record_key"] for row in kept_out.collect()] == [str(key_of(table, 10))]
    assert lake.plan(table).is_empty


def test_a_job_that_dies_at_any_step_is_repeated_without_a_trace(lake, either_format, key_of, monkeypatch):
    flushed = Flushed(monkeypatch)
    prepare(lake, either_format)
    before = lake.rows(either_format, "quantity")
    # Fails in the midst of the commit, with audit and quarantine written.
    with full_disk(room_bytes=2_000, process=jvm(lake.spark)), pytest.raises(Exception, match="File too large"):
        lake.curate(either_format)
    assert lake.rows(either_format, "quantity") == before
    for moment in ("after quarantine", "after commit"):
        with death(moment, monkeypatch):
            lake.curate(either_format)
        assert lake.plan(either_format).is_empty == (moment == "after commit"), "what is committed is not repeated"

    assert flushed.missing(lake.root / AUDIT / either_format, "*.jsonl") == []
    assert_as_without_a_crash(lake, either_format, key_of)


def jvm(spark: SparkSession) -> int:
    """Process id of the session's JVM, which writes the tables."""
    return int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())


def test_a_hudi_commit_whose_file_a_crash_cut_off_is_rolled_back_and_repeated(lake, key_of):
    table = "sales_order_parts"
    prepare(lake, table)
    lake.curate(table)
    newest = max((lake.root / TABLES[table].lake_path / ".hoodie").glob("*.commit"))
    newest.write_bytes(newest.read_bytes()[:700])

    lake.curate(table)

    assert_as_without_a_crash(lake, table, key_of)


def test_a_hudi_table_whose_making_a_crash_cut_off_is_made_anew(lake):
    table = "sales_order_parts"
    lake.raw.load(table, [{"line_item_id": 1, "quantity": 1}])
    properties = lake.root / TABLES[table].lake_path / ".hoodie" / "hoodie.properties"
    properties.parent.mkdir(parents=True)
    properties.touch()

    lake.curate(table)

    assert lake.rows(table, "quantity") == {"db:1": 1}
