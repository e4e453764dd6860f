"""What the source does to its columns arrives in the table, or stops it with a reason; nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import Column
from autocorp_assets.lake.snapshots import read_snapshot
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets_tests.spark_jobs.raw_zone import Change, raw_types
from spark_jobs.raw_files import RawFileError
from spark_jobs.table_shape import SchemaError

pytestmark = pytest.mark.spark

GRADE = "Grade of Part"
"""A name that neither Avro nor Athena takes."""


def named(table: str, name: str, source_type: str):
    """The table's contract with a column more, or one that is of another type."""
    contract = TABLES[table]
    column = Column(name=name, source_type=source_type, description="Named since.")
    others = tuple(known for known in contract.columns if known.name != name)
    return replace(contract, columns=(*others, column))


def stored_types(lake, contract) -> dict[str, str]:
    snapshot = read_snapshot(lake.root, contract)
    assert snapshot is not None
    return snapshot.columns


def test_columns_come_and_go_in_the_source(lake, either_format, key_of):
    table = either_format
    key, contract = TABLES[table].primary_key, TABLES[table]
    plain = raw_types(table)
    graded = {GRADE: pa.string(), **plain}
    both = {**dict(reversed(plain.items())), "months": pa.int32(), GRADE: pa.string()}

    def row(number: int, **values: object) -> dict[str, object]:
        return {key: number, "sku": f"sku-{number}", "quantity": number, **values}

    def stored(*columns: str) -> dict[int, object]:
        found = lake.rows(table, *columns)
        return {number: found[key_of(table, number)] for number in range(1, 6) if key_of(table, number) in found}

    if contract.has_two_systems:
        lake.raw.csv("sales_order_parts", "20240101", "order_id,sku,quantity\n7,csv,1\n")
        lake.curate(table)
    # In the load already, beside a change file that was written before.
    lake.raw.load(table, [row(1, **{GRADE: "A"}), row(2, **{GRADE: "B"})], before=1, types=graded)
    lake.raw.change_file(table, [Change("U", 2, row(2, quantity=20)), Change("I", 3, row(3))], second=1)
    report = lake.curate(table)
    assert report.unknown_columns == (GRADE,)
    assert stored("grade_of_part", "quantity") == {1: ("A", 1), 2: (None, 20), 3: (None, 3)}

    # Added later, in another order; some files of the batch have it and some do not.
    lake.raw.change_file(table, [Change("U", 3, row(1, quantity=10, months=12, **{GRADE: "A+"}))], second=2, types=both)
    lake.raw.change_file(table, [Change("I", 4, row(4))], second=3)
    left_out = Change("U", 5, row(1, quantity=11, months=13), unchanged=(GRADE,))
    lake.raw.change_file(table, [left_out, Change("D", 6, {key: 3})], second=4, types=both)
    lake.curate(table)
    assert stored("months", "grade_of_part", "quantity") == {
        1: (13, "A+", 11), 2: (None, None, 20), 4: (None, None, 4),
    }  # fmt: skip

    # Dropped: the rows that nobody touches keep what they have; one that left a large value out is joined with it.
    left_out = Change("U", 7, row(1, quantity=12), unchanged=(GRADE,))
    lake.raw.change_file(table, [left_out], second=5, types=graded)
    lake.raw.change_file(table, [Change("I", 8, row(5, months=5))], second=6, types={**plain, "months": pa.int64()})
    lake.curate(table)
    lake.raw.change_file(table, [Change("U", 9, row(4, quantity=40))], second=7)
    lake.curate(table)
    assert stored("months", "grade_of_part", "quantity") == {
        1: (None, "A+", 12), 2: (None, None, 20), 4: (None, None, 40), 5: (5, None, 5),
    }  # fmt: skip

    names = [column.name for column in contract.lake_columns]
    # Nothing else, such as Op, has found its way into the table; and Hudi and Delta widened what was an int.
    assert set(stored_types(lake, contract)) == {*names, "grade_of_part", "months"}
    assert stored_types(lake, contract)["months"] == "bigint"
    query = LakeQuery(lake.root)
    answer = query.run(f"SELECT months, grade_of_part FROM autocorp_lake.{table} WHERE {key} = 5")  # noqa: S608
    assert list(answer.rows()) == [(5, None)]
    assert query.run(f"SELECT * FROM {table}").columns == tuple(contract.column_by_name)  # noqa: S608

    # The contract names one: it is the contract's from here on, and so is a load that holds all rows.
    lake.raw.load(table, [row(1, months=99), row(4)], generation=2, before=20, types=both)
    report = lake.curate(table, contract=named(table, "months", "INT") if table == "service_parts" else None)
    assert report.unknown_columns == ((GRADE,) if table == "service_parts" else (GRADE, "months"))
    assert stored("months", "quantity") == {1: (99, 1), 4: (None, 4)}
    if contract.has_two_systems:
        lake.raw.csv("sales_order_parts", "20240102", "order_id,sku,quantity\n7,csv,2\n")
        lake.curate(table)
        assert lake.rows(table, "months", "quantity")["csv:7:1"] == (None, 2)
        assert stored("months", "quantity") == {1: (99, 1), 4: (None, 4)}


def test_an_unsafe_type_stops_the_table_until_it_is_resolved(lake, either_format, key_of):
    table = either_format
    key = TABLES[table].primary_key
    as_text = {**raw_types(table), "quantity": pa.string()}
    lake.raw.load(table, [{key: 1, "quantity": 1}, {key: 2, "quantity": 2}])
    lake.curate(table)
    before = lake.plan(table).base_commit
    # Wider whole numbers fit in the same batch; text may be anything.
    wide = {**raw_types(table), "quantity": pa.int64()}
    lake.raw.change_file(table, [Change("U", 1, {key: 1, "quantity": 10})], second=1, types=wide)
    bad = lake.raw.change_file(table, [Change("U", 2, {key: 2, "quantity": "7"})], second=2, types=as_text)

    with pytest.raises(SchemaError, match=rf"column quantity is string.*the table's int \(file raw/.*{bad.name}\)"):
        lake.curate(table)
    assert (lake.plan(table).base_commit, len(lake.plan(table).files)) == (before, 2)

    # The source is changed back and the table reloaded: what the load has superseded need not be understood.
    lake.raw.load(table, [{key: 1, "quantity": 10}, {key: 2, "quantity": 7}], generation=2, before=4)
    report = lake.curate(table)
    assert {file.file.rsplit("/", 1)[-1]: file.superseded for file in report.files}[bad.name] == 1
    assert lake.rows(table, "quantity") == {key_of(table, 1): 10, key_of(table, 2): 7}

    # Or the contract follows the source.
    lake.raw.change_file(table, [Change("U", 6, {key: 2, "quantity": "a dozen"})], second=20, types=as_text)
    with pytest.raises(SchemaError, match="change the contract"):
        lake.curate(table)
    following = named(table, "quantity", "VARCHAR(50)")
    lake.curate(table, contract=following)
    assert lake.rows(table, "quantity") == {key_of(table, 1): "10", key_of(table, 2): "a dozen"}
    assert stored_types(lake, following)["quantity"] == "string"
    assert lake.plan(table).is_empty


def test_values_that_a_wider_type_brings_are_judged_one_by_one(lake):
    lake.raw.load("service", [{"serviceid": "a", "labor_minutes": 1}, {"serviceid": "b", "labor_minutes": 2}])
    wider = {
        **raw_types("service"),
        "labor_minutes": pa.int64(),
        "labor_cost": pa.decimal128(12, 2),
        "note": pa.float32(),
    }
    lake.raw.change_file(
        "service",
        [
            Change("U", 2, {"serviceid": "a", "labor_minutes": 2**31, "labor_cost": Decimal("1.25")}),
            Change("U", 3, {"serviceid": "b", "labor_minutes": 90, "labor_cost": Decimal("2.50"), "note": 0.5}),
        ],
        second=1,
        types=wider,
    )

    report = lake.curate("service")

    assert sum(file.quarantined for file in report.files) == 1
    assert lake.rows("service", "labor_minutes", "labor_cost", "note") == {
        "a": (1, None, None),
        "b": (90, Decimal("2.50"), 0.5),
    }
    # A money column is decimal(38,4) in raw and decimal(19,2) by contract: the stored column follows its contract.
    money = {**raw_types("service"), "fee": pa.decimal128(38, 4)}
    lake.raw.change_file("service", [Change("U", 4, {"serviceid": "a", "fee": Decimal("3.5")})], second=2, types=money)
    lake.curate("service")
    lake.raw.change_file("service", [Change("U", 5, {"serviceid": "b", "fee": Decimal("4.5")})], second=3, types=money)
    lake.curate("service", contract=named("service", "fee", "MONEY"))
    assert lake.rows("service", "fee") == {"a": Decimal("3.50"), "b": Decimal("4.50")}
    assert lake.plan("service").is_empty


def test_a_file_that_spark_cannot_read_is_named_and_taken_once_it_is_mended(lake):
    lake.raw.load("service_parts", [{"service_part_id": 1}])
    nanoseconds = {**raw_types("service_parts"), "created_at": pa.timestamp("ns")}
    change = Change("U", 2, {"service_part_id": 1, "quantity": 2})
    bad = lake.raw.change_file("service_parts", [change], second=1, types=nanoseconds)
    with pytest.raises(SchemaError, match=rf"created_at is int64 \(TIMESTAMP\(NANOS.*{bad.name}.*under the same name"):
        lake.curate("service_parts")
    pq.write_table(pa.table({"Op": ["U"], "service_part_id": [1], "quantity": [9]}), bad)
    with pytest.raises(SchemaError, match=rf"without column dms_change_seq.*{bad.name}.*reload"):
        lake.curate("service_parts")
    bad.write_bytes(b"PAR1")
    with pytest.raises(RawFileError, match=rf"raw/.*{bad.name} is not a whole Parquet file"):
        lake.curate("service_parts")

    lake.raw.change_file("service_parts", [change], second=1)
    lake.curate("service_parts")

    assert lake.rows("service_parts", "quantity") == {1: 2}
