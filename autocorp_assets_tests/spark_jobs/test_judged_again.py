"""Files judged once more after a rule was mended, or delivered corrected: what quarantine and audit say then."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.contracts.model import OneOf
from autocorp_assets.lake.quarantine import Quarantine
from autocorp_assets.lake.selection import Selection, selected_files
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.spark_jobs.raw_zone import Change
from spark_jobs.lake_tables.hudi import HudiTable

pytestmark = pytest.mark.spark

ORDERS = TABLES["sales_order"]
HEADER = ",".join(FEEDS["sales_orders"].columns)
FILE = "raw/csv/sales_orders/sales_orders-20241121.csv"
TAKES_CHEQUES = replace(
    ORDERS,
    columns=tuple(
        replace(column, rules=(OneOf(("Cash", "Cheque")),)) if column.name == "payment_method" else column
        for column in ORDERS.columns
    ),
)


def order(number: int, paid: str = "Cash", status: str = "Completed") -> str:
    return f"{number},5,2024-01-02 10:00:00,INV-2024-{number},{paid},10.00,0.80,10.80,Parts,{status}"


def orders(*lines: str) -> str:
    return "\n".join((HEADER, *lines)) + "\n"


def quarantine(lake, table: str) -> set[tuple[int, str, int | None]]:
    """(revision, file name, position) of all that was ever written there."""
    rows = lake.spark.read.parquet(str(lake.root / "processed/quarantine" / table)).collect()
    return {(row["revision"], row["file"].rsplit("/", 1)[-1], row["position"]) for row in rows}


def accounts(lake, table: str) -> dict[int, dict]:
    """The line of the one file, by revision."""
    lines = [
        json.loads(line)
        for path in (lake.root / "processed/audit" / table).glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert len({line["revision"] for line in lines}) == len(lines)
    return {line["revision"]: line for line in lines}


def test_a_mended_rule_lets_rows_out_of_quarantine_in_the_place_that_they_always_had(lake):
    lake.raw.csv(
        "sales_orders", "20241121", orders(order(1, "Cheque"), order(2), order(3, "Barter"), order(4, "Cheque"))
    )
    lake.curate("sales_order")
    lake.raw.csv("sales_orders", "20241122", orders(order(4, "Cash", status="Paid since")))
    lake.curate("sales_order")
    assert set(lake.rows("sales_order", "status")) == {"csv:2", "csv:4"}

    plan = LakeStorage(lake.root).pending_plans(["sales_order"], again={"sales_order": [FILE]})["sales_order"]
    lake.curate("sales_order", plan, contract=TAKES_CHEQUES)

    assert lake.rows("sales_order", "status") == {"csv:1": "Completed", "csv:2": "Completed", "csv:4": "Paid since"}
    assert quarantine(lake, "sales_order") == {
        *((1, "sales_orders-20241121.csv", position) for position in (1, 3, 4)),
        *((3, "sales_orders-20241121.csv", position) for position in (None, 3)),
    }
    again = accounts(lake, "sales_order")[3]
    assert (again["file"], again["read"], again["unchanged"], again["applied"], again["superseded"]) == (
        FILE,
        4,
        1,
        1,
        1,
    )
    assert again["quarantined"] == 1
    assert lake.plan("sales_order").is_empty


def test_a_corrected_delivery_clears_what_the_one_before_left_in_quarantine(lake):
    lake.raw.csv("sales_orders", "20241121", orders(order(1, "Cheque"), order(2)))
    lake.curate("sales_order")
    lake.raw.csv("sales_orders", "20241121", orders(order(1, "Cash"), order(2)))

    lake.curate("sales_order")

    assert set(lake.rows("sales_order", "status")) == {"csv:1", "csv:2"}
    assert quarantine(lake, "sales_order") == {
        (1, "sales_orders-20241121.csv", 1),
        (2, "sales_orders-20241121.csv", None),
    }
    first, corrected = accounts(lake, "sales_order")[1], accounts(lake, "sales_order")[2]
    assert first["etag"] != corrected["etag"]


def test_what_a_dead_run_kept_out_does_not_outlive_the_mended_file(lake, monkeypatch):
    lake.raw.csv("sales_orders", "20241121", orders(order(1, "Cheque"), order(2)))
    with monkeypatch.context() as patch:
        patch.setattr(HudiTable, "commit", dies)
        with pytest.raises(KeyboardInterrupt):
            lake.curate("sales_order")
    assert quarantine(lake, "sales_order")
    lake.raw.csv("sales_orders", "20241121", orders(order(1, "Cash"), order(2)))

    lake.curate("sales_order")

    assert Quarantine(LakeStorage(lake.root), ORDERS).count() == 0
    assert [account["quarantined"] for account in accounts(lake, "sales_order").values()] == [0]


def dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_change_judged_again_does_not_overtake_a_newer_one(lake):
    lake.raw.load("service_parts", [{"service_part_id": 1, "quantity": 1}])
    late = lake.raw.change_file("service_parts", [Change("U", 1, {"service_part_id": 1, "quantity": 2})], second=1)
    lake.raw.change_file("service_parts", [Change("D", 2, {"service_part_id": 1})], second=2)
    lake.curate("service_parts")

    again = {"service_parts": [str(late.relative_to(lake.root))]}
    lake.curate("service_parts", LakeStorage(lake.root).pending_plans(again, again=again)["service_parts"])

    assert lake.rows("service_parts", "quantity") == {}
    assert lake.plan("service_parts").is_empty


def test_changes_that_arrive_while_all_of_a_table_is_judged_again_are_neither_lost_nor_reordered(
    lake, either_format, key_of
):
    table, key = either_format, TABLES[either_format].primary_key

    def change(op: str, at: int, number: int, quantity: int) -> None:
        lake.raw.change_file(table, [Change(op, at, {key: number, "quantity": quantity})], second=at)

    lake.raw.load(table, [{key: number, "quantity": 0} for number in (1, 2, 3)])
    change("U", 1, 1, 10)
    change("U", 2, 2, 20)
    lake.curate(table)
    storage = LakeStorage(lake.root)
    again = selected_files(storage, Selection(tables=(table,)))
    arriving = iter([lambda: change("U", 3, 1, 11), lambda: (change("D", 5, 2, 0), change("U", 4, 3, 30))])

    # One change before the job reads, two (the older one last) while it commits.
    plan = storage.pending_plans([table], again=again)[table]
    report = lake.curate(table, plan, announce=lambda _: next(arriving)())

    assert len(report.files) == 3
    assert lake.rows(table, "quantity") == {key_of(table, 1): 10, key_of(table, 2): 20, key_of(table, 3): 0}
    assert [file.applied for file in lake.curate(table).files] == [1, 1, 1]
    assert lake.rows(table, "quantity") == {key_of(table, 1): 11, key_of(table, 3): 30}
    assert lake.plan(table).is_empty


def test_a_large_value_that_a_kept_out_change_set_is_not_replaced_by_an_older_one(lake):
    table, key = "auto_parts", "sku"
    lake.raw.load(table, [{key: "a", "name": "A", "description": "old"}, {key: "b", "name": "B", "description": "b"}])
    lake.curate(table)
    bad = Change("U", 1, {key: "a", "name": "A", "description": "new"}, literal={"price": "NaN"})
    lake.raw.change_file(table, [bad], second=1)
    lake.curate(table)
    partial = [
        Change("U", 2, {key: "a", "name": "A2"}, unchanged=("description",)),
        Change("U", 3, {key: "b", "name": "B2"}, unchanged=("description",)),
    ]
    lake.raw.change_file(table, partial, second=2)

    report = lake.curate(table)

    assert lake.rows(table, "name", "description") == {"a": ("A", "old"), "b": ("B2", "b")}
    assert [(file.applied, file.quarantined) for file in report.files] == [(1, 1)]
    kept_out = Quarantine(LakeStorage(lake.root), TABLES[table])
    assert [row.reasons for row in kept_out.rows()][1] == ("description: set by a change that is kept out",)

    # A whole newer change settles it.
    lake.raw.change_file(table, [Change("U", 4, {key: "a", "name": "A3", "description": "newest"})], second=3)
    lake.raw.change_file(table, [Change("U", 5, {key: "a", "name": "A4"}, unchanged=("description",))], second=4)
    lake.curate(table)
    assert lake.rows(table, "name", "description")["a"] == ("A4", "newest")


def test_a_file_from_before_the_window_that_came_since_is_folded_in(lake):
    """The listing, the footers and the checkpoint together: no plan of the test's own."""
    table, key = "service_parts", "service_part_id"
    lake.raw.load(table, [{key: 1, "quantity": 1}])
    lake.raw.change_file(table, [Change("D", 9, {key: 1})], second=7200)
    lake.curate(table)
    lake.raw.change_file(
        table, [Change("U", 3, {key: 1, "quantity": 3}), Change("I", 4, {key: 2, "quantity": 4})], second=5
    )

    report = lake.curate(table)

    assert lake.rows(table, "quantity") == {2: 4}
    assert [(file.read, file.applied, file.superseded) for file in report.files] == [(2, 1, 1)]
    assert lake.plan(table).is_empty
