"""Source and lake are compared exactly while both go on; what differs is named, with what explains it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import psycopg
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.reconciliation import reconcile
from autocorp_assets.reconciliation.database import source_rows
from autocorp_assets.reconciliation.findings import Finding, Verdict
from autocorp_assets.reconciliation.keys import KeyRange
from autocorp_assets.resources.local_replication import LocalReplication
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.replication import CaughtUp, ReplicationError
from autocorp_assets_tests.lake.lake_writer import LakeWriter
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from autocorp_assets_tests.reconciliation.platform import Platform, Rows
from spark_jobs.plan import advance

TABLE = "auto_parts"


def keys_of(platform: Platform) -> list[str]:
    return sorted(platform.rows[TABLE])


def without(key: object) -> Callable[[Rows], None]:
    def lose(rows: Rows) -> None:
        del rows[key]

    return lose


def test_a_lake_that_holds_what_the_source_says_is_equal_by_its_sums_alone(platform: Platform):
    found = platform.reconcile(TABLE)

    assert (found.source_rows, found.lake_rows, found.buckets, found.buckets_differing) == (400, 400, 1, 0)
    assert (found.keys_read_again, found.differences, found.counts.total()) == (0, 0, 0)
    assert found.describe() == "400 rows of the source, 400 of the lake: all equal"

    # The lake keeps what a dropped column held: there is nothing to compare it with.
    platform.execute("ALTER TABLE auto_parts DROP COLUMN vendor")
    found = platform.reconcile(TABLE)
    assert (found.columns_left_out, found.counts.total()) == (("vendor",), 0)


def test_rows_that_were_tampered_with_lost_invented_or_doubled_are_named(platform: Platform):
    tampered, lost, doubled = keys_of(platform)[:3]

    def tamper(rows: Rows) -> None:
        rows[tampered] |= {"inventory_date": date(1999, 1, 1), "vendor": None}
        del rows[lost]
        rows["invented"] = {"sku": "invented", "name": "never sold"}
        rows["again"] = dict(rows[doubled])

    platform.curate(TABLE, tamper)

    found = platform.reconcile(TABLE)

    assert found.sample == [
        Finding(key=lost, verdict=Verdict.MISSING),
        Finding(key="invented", verdict=Verdict.EXTRA),
        Finding(key=tampered, verdict=Verdict.CHANGED, detail="inventory_date, vendor"),
        Finding(key=doubled, verdict=Verdict.DOUBLED),
    ]
    assert (found.differences, found.keys_read_again, found.buckets_differing) == (4, 4, 1)

    # A range of keys is all that is looked at, both ends included.
    found = platform.reconcile(TABLE, KeyRange(low=keys_of(platform)[1], high=keys_of(platform)[50]))
    assert (found.source_rows, found.lake_rows) == (50, 50)
    assert [(finding.key, finding.verdict) for finding in found.sample] == [
        (lost, Verdict.MISSING),
        (doubled, Verdict.DOUBLED),
    ]


def test_an_empty_text_is_not_null_a_blank_counts_and_so_does_a_cent(platform: Platform):
    one, two = keys_of(platform)[:2]
    platform.execute("UPDATE auto_parts SET description = NULL WHERE sku = %s", one)
    platform.execute("UPDATE auto_parts SET description = 'a ' WHERE sku = %s", two)
    platform.execute("UPDATE service SET labor_cost = '$1,234.56'")
    platform.replicate()

    def tamper(rows: Rows) -> None:
        rows[one]["description"] = ""
        rows[two]["description"] = "a"

    platform.curate(TABLE, tamper)
    platform.curate("service", lambda rows: rows[min(rows)].update(labor_cost=Decimal("1234.57")))

    assert {(finding.key, finding.detail) for finding in platform.reconcile(TABLE).sample} == {
        (one, "description"),
        (two, "description"),
    }
    cheaper = Finding(key=min(platform.rows["service"]), verdict=Verdict.CHANGED, detail="labor_cost")
    assert platform.reconcile("service").sample == [cheaper]


def test_a_key_that_a_pending_file_changes_waits_for_it_and_is_no_difference(platform: Platform):
    updated, deleted, lost = keys_of(platform)[:3]
    platform.curate(TABLE, without(lost))
    platform.execute("UPDATE auto_parts SET price = 1.23 WHERE sku = %s", updated)
    platform.execute("DELETE FROM auto_parts WHERE sku = %s", deleted)

    found = platform.reconcile(TABLE)

    (file,) = platform.pending(TABLE)
    assert found.sample == [
        Finding(key=lost, verdict=Verdict.MISSING),
        *(Finding(key=key, verdict=Verdict.WAITING, detail=file) for key in (updated, deleted)),
    ]
    platform.curate(TABLE)
    assert platform.reconcile(TABLE).counts.total() == 0

    # A load decides about every key: this table has taken in none.
    found = platform.reconcile("service")
    assert (found.commit, found.lake_rows, found.source_rows) == (None, 0, 110)
    assert found.counts == {Verdict.WAITING: 110}
    assert {finding.detail for finding in found.sample} == {"raw/database/service/LOAD00000001.parquet"}


def test_a_key_whose_last_change_is_in_quarantine_is_named_with_it(platform: Platform):
    kept_out, superseded = keys_of(platform)[:2]
    platform.execute("UPDATE auto_parts SET name = 'kept out' WHERE sku IN (%s, %s)", kept_out, superseded)
    platform.replicate()
    (file,) = platform.pending(TABLE)
    changes = pl.read_parquet(platform.settings.lake_folder / file, columns=["sku", "dms_change_seq"])
    rows = [
        {
            "file": file,
            "position": position,
            "record_key": change["sku"],
            "reasons": ["price: does not fit decimal(10,2)"],
            "row": json.dumps(change),
        }
        for position, change in enumerate(changes.to_dicts())
    ]
    LedgerWriter(platform.settings.lake_folder).quarantine("b", *rows, revision=1)
    platform.curate(TABLE, lambda rows: rows[kept_out].update(name="the version before"))
    platform.execute("UPDATE auto_parts SET name = 'applied' WHERE sku = %s", superseded)
    platform.replicate()

    def tamper(rows: Rows) -> None:
        rows[kept_out].update(name="the version before")
        del rows[superseded]

    platform.curate(TABLE, tamper)

    found = platform.reconcile(TABLE)

    position = changes["sku"].to_list().index(kept_out)
    assert found.sample == [
        Finding(key=superseded, verdict=Verdict.MISSING),
        Finding(
            key=kept_out,
            verdict=Verdict.QUARANTINED,
            detail=f"{file}, row {position}: price: does not fit decimal(10,2)",
        ),
    ]


def test_what_cannot_be_told_is_unsettled_and_no_difference(platform: Platform):
    lost, changed = keys_of(platform)[:2]
    platform.curate(TABLE, without(lost))

    found = platform.reconcile(TABLE, replication=Stopped(settings=platform.settings))

    assert found.sample == [Finding(key=lost, verdict=Verdict.UNSETTLED, detail="the replicator does not run")]
    assert (found.differences, found.unsettled) == (0, 1)

    # Nor can it be told which keys a file changes that is cut off.
    platform.execute("UPDATE auto_parts SET price = 1.23 WHERE sku = %s", changed)
    platform.replicate()
    (file,) = platform.pending(TABLE)
    (platform.settings.lake_folder / file).write_bytes(b"PAR1 cut off")
    found = platform.reconcile(TABLE)
    assert found.counts == {Verdict.UNSETTLED: 2}
    assert file in found.sample[0].detail


class Stopped(LocalReplication):
    """A replicator that does not get on."""

    def catch_up(self, *, deadline_seconds: float, on_progress: Progress, may_start: bool = True) -> CaughtUp:
        message = "the replicator does not run"
        raise ReplicationError(message)


def test_writing_while_it_runs_makes_no_difference_and_hides_none(platform: Platform):
    table = "service_parts"
    platform.curate(table)
    lost = sorted(platform.rows[table])[7]

    with written(platform.dsn, spare=lost) as rounds:
        for _ in range(2):
            assert platform.reconcile(table).differences == 0
            platform.curate(table)
        platform.curate(table, without(lost))
        found = platform.reconcile(table)

    assert rounds[0] > 5
    assert found.counts[Verdict.WAITING] > 0
    assert [finding for finding in found.sample if finding.verdict is not Verdict.WAITING] == [
        Finding(key=lost, verdict=Verdict.MISSING)
    ]
    platform.replicate()
    platform.curate(table)
    assert platform.reconcile(table).counts.total() == 0


@contextmanager
def written(dsn: str, *, spare: int) -> Generator[list[int]]:
    """Changes all lines of services but one until left: values that go and come back, rows that do. Counts rounds."""
    done = threading.Event()
    rounds = [0]

    def write() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TEMP TABLE gone (LIKE service_parts)")
            while not done.is_set():
                connection.execute(
                    "UPDATE service_parts SET quantity = 3 - quantity %% 3 WHERE service_part_id <> %s "
                    "AND random() < 0.05",
                    [spare],
                )
                connection.execute(
                    "WITH gone_now AS (DELETE FROM service_parts WHERE service_part_id IN (SELECT service_part_id "
                    "FROM service_parts WHERE service_part_id <> %s ORDER BY random() LIMIT 5) RETURNING *) "
                    "INSERT INTO gone SELECT * FROM gone_now",
                    [spare],
                )
                connection.execute("INSERT INTO service_parts SELECT * FROM gone")
                connection.execute("TRUNCATE gone")
                rounds[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield rounds
    finally:
        done.set()
        writer.join()


@pytest.mark.spark
def test_of_two_systems_in_one_table_the_databases_rows_are_compared_over_many_buckets(
    platform: Platform, spark, monkeypatch
):
    """A CSV order may have the number of an order of the database: it is another."""
    monkeypatch.setattr(reconcile, "ROWS_OF_A_BUCKET", 100)
    monkeypatch.setattr(reconcile, "PAGE_ROWS", 7)
    contract = TABLES["sales_order"]
    names = [column.name for column in contract.columns]
    orders = {
        row[0]: {
            name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
            for name, value in zip(names, row, strict=True)
        }
        for row in source_rows(platform.dsn, contract)
    }
    tampered, lost = sorted(orders)[150], sorted(orders)[950]
    of_csv = [{**orders[key], "source_system": "csv", "status": "another"} for key in (tampered, lost)]
    orders[tampered]["notes"] = "for whom it may concern"
    del orders[lost]
    plan = platform.lake.pending_plans([contract.name])[contract.name]
    LakeWriter(spark, platform.settings.lake_folder).commit(
        contract.name,
        *orders.values(),
        *of_csv,
        checkpoint=advance(plan, contract_version=contract.version, refused={}),
    )

    found = platform.reconcile(contract.name)

    assert (found.source_rows, found.lake_rows, found.buckets, found.buckets_differing) == (1000, 999, 10, 2)
    assert found.sample == [
        Finding(key=lost, verdict=Verdict.MISSING),
        Finding(key=tampered, verdict=Verdict.CHANGED, detail="notes"),
    ]
