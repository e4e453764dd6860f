"""Changes of the database end in the right rows, whatever way they are cut into files and runs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets_tests.spark_jobs.raw_zone import Change
from spark_jobs.curation import TableMovedError

pytestmark = pytest.mark.spark

HISTORIES: dict[int, list[tuple[str, int]]] = {
    1: [("I", 1), ("D", 0)],
    2: [("I", 1), ("U", 2), ("D", 0)],
    3: [("I", 1), ("U", 2), ("U", 3)],
    4: [("I", 1), ("D", 0), ("I", 4)],
    5: [("I", 5)],
    6: [("I", 1), ("U", 2), ("U", 1)],
    7: [("U", 8)],
    8: [("D", 0)],
    9: [("D", 0), ("I", 9)],
}
"""Changes (op, quantity) by key; keys 7 to 9 are in the load, with quantity 100."""
LOADED = (7, 8, 9, 10)
EXPECTED = {3: 3, 4: 4, 5: 5, 6: 1, 7: 8, 9: 9, 10: 100}


def histories(table: str) -> list[Change]:
    """One change of every key in turn, so that any cut divides many histories."""
    key = TABLES[table].primary_key
    longest = max(len(history) for history in HISTORIES.values())
    return [
        Change(
            op,
            sequence=10 * step + number,
            row={key: number} if op == "D" else {key: number, "sku": f"sku-{quantity}", "quantity": quantity},
        )
        for step in range(longest)
        for number, history in HISTORIES.items()
        for op, quantity in history[step : step + 1]
    ]


@pytest.fixture
def loaded(lake, either_format):
    key = TABLES[either_format].primary_key
    lake.raw.load(either_format, [{key: number, "sku": "load", "quantity": 100} for number in LOADED])
    return either_format


def quantities(lake, table, key_of):
    stored = lake.rows(table, "quantity")
    return {
        number: stored.pop(key_of(table, number)) for number in EXPECTED if key_of(table, number) in stored
    } | stored


def test_all_changes_in_one_batch_with_the_load(lake, loaded, key_of):
    lake.raw.change_file(loaded, histories(loaded), second=1)

    report = lake.curate(loaded)

    assert quantities(lake, loaded, key_of) == EXPECTED
    accounted = {file.file.rsplit("/", 1)[-1]: file for file in report.files}
    for file in accounted.values():
        assert file.read == file.applied + file.unchanged + file.superseded + file.duplicate + file.quarantined
    assert accounted["LOAD00000001.parquet"].superseded == 3


def test_changes_cut_over_several_batches(lake, loaded, key_of):
    changes = histories(loaded)
    third = len(changes) // 3 + 1
    lake.curate(loaded)
    for batch in range(3):
        part, size = changes[batch * third : (batch + 1) * third], 1 + 2 * batch
        for index in range(0, len(part), size):
            lake.raw.change_file(loaded, part[index : index + size], second=1 + batch * 100 + index)
        lake.curate(loaded)

    assert quantities(lake, loaded, key_of) == EXPECTED
    assert lake.plan(loaded).is_empty


def test_a_late_file_is_folded_with_the_newer_ones(lake, loaded, key_of):
    changes = histories(loaded)
    third = len(changes) // 3
    parts = [changes[:third], changes[third : 2 * third], changes[2 * third :]]
    lake.curate(loaded)
    for index in (0, 2, 1):
        lake.raw.change_file(loaded, parts[index], second=10 + index)
        lake.curate(loaded)

    assert quantities(lake, loaded, key_of) == EXPECTED


def test_a_file_delivered_again_under_another_name_changes_nothing(lake, loaded, key_of):
    for second in (1, 2):
        lake.raw.change_file(loaded, histories(loaded), second=second)

    report = lake.curate(loaded)

    assert quantities(lake, loaded, key_of) == EXPECTED
    assert sum(file.duplicate for file in report.files) == len(histories(loaded))


def test_a_batch_that_changes_no_row_still_moves_the_checkpoint(lake, loaded, key_of):
    key = TABLES[loaded].primary_key
    lake.curate(loaded)
    before = lake.rows(loaded, "quantity")
    lake.raw.change_file(loaded, [Change("I", 1, {key: 50, "quantity": 1}), Change("D", 2, {key: 50})], second=1)
    lake.curate(loaded)
    lake.raw.change_file(loaded, [Change("U", 3, {key: 7}, literal={"quantity": "NaN"})], second=2)

    (account,) = lake.curate(loaded).files

    assert account.quarantined == 1
    assert lake.plan(loaded).is_empty
    assert lake.rows(loaded, "quantity") == before


def test_a_plan_that_the_table_has_left_behind_is_refused(lake, loaded):
    stale = lake.plan(loaded)
    lake.curate(loaded)

    with pytest.raises(TableMovedError, match="plan again"):
        lake.curate(loaded, stale)


def test_a_reload_removes_what_vanished_and_keeps_newer_changes(lake, loaded, key_of):
    key = TABLES[loaded].primary_key
    lake.raw.change_file(
        loaded, [Change("I", 5, {key: 20, "quantity": 1}), Change("I", 6, {key: 21, "quantity": 1})], second=5
    )
    lake.curate(loaded)
    lake.raw.change_file(loaded, [Change("I", 12, {key: 22, "quantity": 2}), Change("D", 13, {key: 7})], second=12)
    lake.curate(loaded)

    lake.raw.load(loaded, [{key: 7, "quantity": 70}, {key: 20, "quantity": 71}], generation=2, before=10)
    lake.curate(loaded)

    assert lake.rows(loaded, "quantity") == {key_of(loaded, 20): 71, key_of(loaded, 22): 2}


def test_a_truncated_table_is_emptied_and_what_comes_after_is_kept(lake, loaded, key_of):
    key = TABLES[loaded].primary_key
    lake.raw.change_file(loaded, [Change("I", 5, {key: 20, "quantity": 1})], second=15)
    lake.curate(loaded)
    lake.raw.load(loaded, [], generation=2, before=10)
    lake.curate(loaded)
    assert lake.rows(loaded, "quantity") == {}

    lake.raw.change_file(loaded, [Change("I", 12, {key: 22, "quantity": 2})], second=20)
    lake.curate(loaded)
    lake.raw.load(loaded, [], generation=3, before=30)
    lake.curate(loaded)

    assert lake.rows(loaded, "quantity") == {}
    assert lake.plan(loaded).is_empty


def test_a_load_of_an_empty_table_is_remembered(lake, either_format):
    lake.raw.load(either_format, [])

    lake.curate(either_format)

    assert lake.rows(either_format, "quantity") == {}
    assert lake.plan(either_format).is_empty


def order(number: int, **values: object) -> dict[str, object]:
    amounts = {"subtotal": Decimal("10.00"), "tax": Decimal("0.80"), "total_amount": Decimal("10.80")}
    row = {
        "order_id": number,
        "customer_id": 1,
        "order_date": datetime(2024, 1, 5),
        "notes": f"note {number}",
        **amounts,
    }
    return {**row, **values}


def test_an_order_that_moves_to_another_month_is_stored_once_and_found_by_its_key(lake):
    lake.raw.load("sales_order", [order(number) for number in (1, 2, 3)])
    lake.curate("sales_order")
    moved = datetime(2024, 6, 1)
    lake.raw.change_file(
        "sales_order", [Change("U", 1, order(1, order_date=moved)), Change("D", 2, {"order_id": 2})], second=1
    )
    lake.curate("sales_order")
    assert lake.rows("sales_order", "partition_month") == {"db:1": "2024-06", "db:3": "2024-01"}

    lake.raw.change_file("sales_order", [Change("D", 3, {"order_id": 1})], second=2)
    lake.curate("sales_order")

    assert list(lake.rows("sales_order", "order_date")) == ["db:3"]


def test_a_large_value_that_an_update_left_out_is_kept(lake):
    lake.raw.load("sales_order", [order(1), order(2)])
    lake.curate("sales_order")
    lake.raw.change_file(
        "sales_order",
        [
            Change("U", 1, order(1, notes=None, status="Paid"), unchanged=("notes",)),
            Change("U", 2, order(2, notes=None, status="Paid")),
            Change("I", 3, order(3, notes="long")),
            Change("U", 4, order(3, notes=None, status="Paid"), unchanged=("notes",)),
        ],
        second=1,
    )

    lake.curate("sales_order")

    assert lake.rows("sales_order", "notes", "status") == {
        "db:1": ("note 1", "Paid"),
        "db:2": (None, "Paid"),
        "db:3": ("long", "Paid"),
    }


def test_a_late_value_that_a_newer_change_left_unchanged_counts(lake):
    lake.raw.load("sales_order", [order(1)])
    lake.curate("sales_order")
    left_out = Change("U", 5, order(1, notes=None, status="Paid"), unchanged=("notes",))
    lake.raw.change_file("sales_order", [left_out], second=5)
    lake.curate("sales_order")
    lake.raw.change_file("sales_order", [Change("U", 3, order(1, notes="late"))], second=3)

    lake.curate("sales_order")

    assert lake.rows("sales_order", "notes", "status") == {"db:1": ("late", "Paid")}


def test_money_is_exact_and_a_value_that_no_type_holds_is_quarantined_with_the_last_good_row_kept(lake):
    lake.raw.load("service", [{"serviceid": "a", "labor_cost": Decimal("1234.5600")}, {"serviceid": "b"}])
    lake.curate("service")
    lake.raw.change_file(
        "service",
        [
            Change("U", 1, {"serviceid": "a", "labor_cost": Decimal("-1000.0100")}),
            Change("U", 2, {"serviceid": "b", "service": "changed"}, literal={"labor_cost": "NaN"}),
        ],
        second=1,
    )

    report = lake.curate("service")

    assert lake.rows("service", "service", "labor_cost") == {"a": (None, Decimal("-1000.01")), "b": (None, None)}
    assert [file.quarantined for file in report.files] == [1]
    kept_out = lake.spark.read.parquet(str(lake.root / "processed/quarantine/service")).collect()
    assert [(row["record_key"], row["reasons"], row["position"]) for row in kept_out] == [
        ("b", ["labor_cost: NaN does not fit decimal(19,2)"], 1)
    ]


def test_a_truncated_file_stops_its_table_alone_and_is_named(lake, loaded, key_of):
    lake.curate(loaded)
    path = lake.raw.change_file(loaded, histories(loaded), second=1)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(Exception, match=path.name):
        lake.curate(loaded)

    path.write_bytes(whole)
    lake.curate(loaded)
    assert quantities(lake, loaded, key_of) == EXPECTED
