"""A load of a table that has one already: afterwards the table is what it and the changes since say."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlglot import exp

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import LakeFormat
from autocorp_assets.lake.snapshots import read_head
from autocorp_assets.local.replicator.service import replicate
from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery
from autocorp_assets.reconciliation.database import TableDifference, compare_table
from autocorp_assets_tests.local.replicator.conftest import SCHEMA
from autocorp_assets_tests.spark_jobs.lake import Lake
from autocorp_assets_tests.spark_jobs.raw_zone import Change
from spark_jobs import columns as c
from spark_jobs.lake_tables.delta import DeltaTable
from spark_jobs.lake_tables.hudi import HudiTable

pytestmark = pytest.mark.spark


def tamper(lake: Lake, table: str, *, lost: Any, changed: Any, invented: Any) -> None:
    """A commit behind the platform's back: a record is lost, one changed, one invented."""
    from pyspark.sql import functions as F

    contract = TABLES[table]
    key, number = F.col(contract.record_key), F.col(contract.primary_key)
    path = str(lake.root / contract.lake_path)
    spark = lake.spark.newSession()
    stored = spark.read.format(str(contract.format)).load(path)
    copy = stored.filter(key == changed).withColumns(
        {contract.record_key: F.lit(invented), contract.primary_key: number + 1000}
    )
    rows = (
        stored.filter(key.isin(lost, changed))
        .withColumn("quantity", F.lit(-1))
        .unionByName(copy)
        .withColumn(c.DELETED, key == lost)
    )
    kind = HudiTable if contract.format is LakeFormat.HUDI else DeltaTable
    head = read_head(lake.root, contract)
    assert head is not None
    assert head.checkpoint is not None
    kind(spark, contract, path).commit(rows, checkpoint=head.checkpoint, into_empty=False)


def test_a_reload_mends_a_lake_and_writes_only_what_differs(lake, either_format, key_of):
    table, raw = either_format, lake.raw
    key = TABLES[table].primary_key

    def line(number: int, quantity: int = 1) -> dict[str, object]:
        return {key: number, "sku": f"sku-{number}", "quantity": quantity}

    raw.load(table, [line(number) for number in range(1, 9)])
    raw.change_file(table, [Change("U", 1, line(2, 22)), Change("U", 6, line(3, 33))], second=1)
    lake.curate(table)
    tamper(lake, table, lost=key_of(table, 4), changed=key_of(table, 5), invented=key_of(table, 99))
    before_reload, tampered = datetime.now(UTC), lake.rows(table, "quantity")
    assert tampered[key_of(table, 5)] == -1
    time.sleep(0.01)

    # As DMS does it: new files beside the old ones, one by one, with Op or without; they count when all are there.
    raw.load_file(table, "LOAD00000002.parquet", [line(1), line(2, 22), line(3, 33), line(4)])
    assert lake.plan(table).is_empty
    raw.load_file(table, "LOAD00000003.parquet", [line(5), line(6), line(7)], op="")
    raw.change_file(
        table, [Change("U", 12, line(7, 77)), Change("D", 13, {key: 6}), Change("I", 14, line(9))], second=12
    )
    raw.announce(table, ["LOAD00000002.parquet", "LOAD00000003.parquet"], rows=7, generation=2, before=10)
    report = lake.curate(table)

    expected = {1: 1, 2: 22, 3: 33, 4: 1, 5: 1, 7: 77, 9: 1}
    by_key = {key_of(table, number): quantity for number, quantity in expected.items()}
    assert lake.rows(table, "quantity") == by_key
    # 4 was lost, 5 changed, 7 and 9 are new; 6 was deleted since, 8 has vanished, 99 was never there.
    assert (report.upserted, report.deleted) == (4, 3)
    accounts = {file.file.rsplit("/", 1)[-1]: file for file in report.files}
    assert (accounts["LOAD00000002.parquet"].applied, accounts["LOAD00000002.parquet"].unchanged) == (1, 3)
    assert (accounts["LOAD00000003.parquet"].applied, accounts["LOAD00000003.parquet"].superseded) == (1, 2)

    # What happened before the load has been seen by it, however late it comes and whatever it says.
    raw.change_file(table, [Change("U", 5, line(1, -5)), Change("I", 7, line(8)), Change("D", 9, {key: 2})], second=9)
    raw.change_file(table, [Change("U", 20, line(2, 2))], second=20)
    late, _ = lake.curate(table).files
    assert late.superseded == 3
    assert lake.rows(table, "quantity") == by_key | {key_of(table, 2): 2}
    assert lake.plan(table).is_empty
    assert rows_as_of(lake, table, before_reload) == tampered


def rows_as_of(lake: Lake, table: str, moment: datetime) -> dict[Any, int]:
    query = exp.select(TABLES[table].record_key, "quantity").from_(exp.table_(table, db=LAKE_SCHEMA))
    return dict(LakeQuery(lake.root).run(query.sql(dialect="athena"), as_of=moment).rows())


def order(number: int, **values: Any) -> dict[str, Any]:
    known = {"order_id": number, "customer_id": 1, "order_date": datetime(2024, 1, 5), "notes": f"note {number}"}
    return {**known, "status": "Open", "total_amount": Decimal(10), **values}


def update(sequence: int, number: int, **values: Any) -> Change:
    """An update that does not carry the notes."""
    return Change("U", sequence, order(number, notes=None, **values), unchanged=("notes",))


def test_a_load_that_was_read_while_rows_changed_converges_with_the_changes_since_it_began(lake):
    table, raw = "sales_order", lake.raw
    raw.load(table, [order(number) for number in (1, 2, 3, 4, 5, 6, 8)])
    moved = datetime(2024, 6, 1)
    while_reading = [
        update(10, 1, status="Paid"),
        Change("U", 11, order(2, notes="new")),
        update(12, 2, status="Paid"),
        Change("D", 13, {"order_id": 3}),
        update(14, 4, status="Paid"),
        Change("D", 15, {"order_id": 4}),
        update(16, 5, order_date=moved),
        Change("I", 17, order(7)),
    ]
    raw.change_file(table, while_reading[:4], second=10)
    lake.curate(table)

    # 1, 2 and 3 were read before their changes, 4, 5 and 7 after them; 6 has a value that the lake cannot hold.
    rows = [order(1), order(2), order(3), order(5, order_date=moved), order(7)]
    broken = Change("I", 0, order(6, total_amount=None), literal={"total_amount": "NaN"})
    raw.load_file(table, "LOAD00000001.parquet", [*rows, broken])  # a name that had other rows
    raw.announce(table, ["LOAD00000001.parquet"], rows=6, generation=2, before=9)
    raw.change_file(table, [*while_reading[4:], update(21, 1, status="Shipped")], second=11)
    report = lake.curate(table)

    expected = {
        "db:1": ("note 1", "Shipped", "2024-01"),
        "db:2": ("new", "Paid", "2024-01"),
        "db:5": ("note 5", "Open", "2024-06"),
        "db:6": ("note 6", "Open", "2024-01"),
        "db:7": ("note 7", "Open", "2024-01"),
    }
    assert lake.rows(table, "notes", "status", "partition_month") == expected
    assert [file.quarantined for file in report.files if "LOAD" in file.file] == [1]

    raw.change_file(table, [update(20, 1, status="Late")], second=12)
    lake.curate(table)
    assert lake.rows(table, "notes", "status", "partition_month") == expected


ROWS = """
    INSERT INTO customers (customer_id, first_name, last_name, email) VALUES (1, 'Ann', 'Lee', 'a@example.com');
    INSERT INTO sales_order (order_id, customer_id, order_date, invoice_number)
        VALUES (1, 1, now(), 'I-1'), (2, 1, now(), 'I-2');
    INSERT INTO sales_order_parts (line_item_id, order_id, quantity) VALUES (1, 1, 1), (2, 2, 1), (3, 1, 2);
    INSERT INTO auto_parts (sku, name) VALUES ('p', 'Bolt');
    INSERT INTO service VALUES ('a'), ('b');
    INSERT INTO service_parts (service_part_id, serviceid, sku) VALUES (1, 'a', 'p'), (2, 'b', 'p');
"""


def test_truncated_tables_and_cascaded_deletes_end_as_in_the_source(lake, database, tmp_path):
    tables = ("sales_order_parts", "service_parts")

    def sync() -> None:
        replicate(dsn=database, lake=lake.root, state=tmp_path / "state", until_caught_up=True, deadline_seconds=60)
        for table in tables:
            lake.curate(table)

    def differences() -> list[TableDifference]:
        found = [compare_table(database, lake.root, TABLES[table]) for table in tables]
        return [difference for difference in found if difference.count]

    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.read_bytes())
        source.execute(ROWS)
        sync()
        assert differences() == []

        # The lines of an order are deleted one by one. A truncation tells of no row: changes are in one batch with
        # it, before, after and in its own transaction.
        source.execute("DELETE FROM sales_order WHERE order_id = 1")
        source.execute("INSERT INTO service_parts (service_part_id, serviceid, sku) VALUES (3, 'b', 'before')")
        with source.transaction():
            source.execute("UPDATE service_parts SET quantity = 5")
            source.execute("TRUNCATE service CASCADE")
            source.execute("INSERT INTO service VALUES ('a')")
            source.execute("INSERT INTO service_parts (service_part_id, serviceid, sku) VALUES (2, 'a', 'in it')")
        source.execute("INSERT INTO service_parts (service_part_id, serviceid, sku) VALUES (4, 'a', 'after')")
        source.execute("UPDATE service_parts SET quantity = 7 WHERE sku = 'after'")
        sync()

    assert differences() == []
    assert lake.rows("sales_order_parts", "order_id") == {"db:2": 2}
    assert lake.rows("service_parts", "sku", "quantity") == {2: ("in it", 1), 4: ("after", 7)}
