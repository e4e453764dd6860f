"""A difference between source and lake is found, whatever kind it is, and nothing else is called one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.generator.seed import seed_database
from autocorp_assets.reconciliation.database import compare_table, difference, source_rows
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint

COLUMNS = ["id", "text"]


def test_each_kind_of_difference_is_counted_and_named():
    source = {1: (1, "same"), 2: (2, None), 3: (3, "only here")}
    lake = {1: (1, "same"), 2: (2, ""), 4: (4, "only there")}

    found = difference("t", COLUMNS, source, lake, lake_rows=3)

    assert (found.missing, found.extra, found.changed, found.count) == (1, 1, 1, 3)
    assert found.sample == ("3: missing", "4: extra", "2: text")


def test_a_record_that_is_stored_twice_is_a_difference():
    assert difference("t", COLUMNS, {1: (1, "a")}, {1: (1, "a")}, lake_rows=2).extra == 1


def test_equal_rows_are_no_difference():
    assert difference("t", COLUMNS, {1: (1, "a")}, {1: (1, "a")}, lake_rows=1).count == 0


def test_every_row_of_a_source_is_missing_in_a_lake_without_tables(database, tmp_path):
    counts = seed_database(database)

    found = compare_table(database, tmp_path, TABLES["service"])

    assert (found.source_rows, found.missing, found.count) == (counts["service"],) * 3


def test_money_is_compared_as_an_exact_amount(database):
    seed_database(database)
    with psycopg.connect(database) as connection:
        changed = connection.execute(
            "UPDATE service SET labor_cost = '$1,234.56' "
            "WHERE serviceid = (SELECT min(serviceid) FROM service) RETURNING serviceid"
        ).fetchone()

    costs = {row[0]: row[-1] for row in source_rows(database, TABLES["service"])}

    assert changed is not None
    assert costs[changed[0]] == Decimal("1234.56")


def test_a_tampered_row_and_a_lost_one_are_named(database, tmp_path):
    seed_database(database)
    contract = TABLES["auto_parts"]
    names = [column.name for column in contract.columns]
    rows = {row[0]: dict(zip(names, row, strict=True)) for row in source_rows(database, contract)}
    tampered, lost = sorted(rows)[:2]
    stored = {sku: dict(row) for sku, row in rows.items() if sku != lost}
    stored[tampered]["inventory_date"] = date(1999, 1, 1)
    changed_at = datetime(2024, 11, 21, tzinfo=UTC)
    lineage = {"change_seq": "1", "changed_at": changed_at}
    LedgerWriter(tmp_path).commit(Checkpoint(), [{**row, **lineage} for row in stored.values()])

    found = compare_table(database, tmp_path, contract)

    assert (found.missing, found.extra, found.changed) == (1, 0, 1)
    assert set(found.sample) == {f"{lost}: missing", f"{tampered}: inventory_date"}
