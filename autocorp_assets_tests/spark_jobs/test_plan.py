"""What is pending follows from listings and checkpoint alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autocorp_assets.contracts import TABLES
from spark_jobs.checkpoint import Checkpoint, delta_user_metadata, from_delta_user_metadata
from spark_jobs.plan import LOOK_BACK, Delivery, LoadManifest, TablePlan, advance, earliest_day, pending

TABLE = TABLES["sales_order"]
BEGAN = datetime(2024, 11, 21, 23, 50, tzinfo=UTC)


def change(minutes: float) -> str:
    time = BEGAN + timedelta(minutes=minutes)
    return f"year={time:%Y}/month={time:%m}/day={time:%d}/{time:%Y%m%d-%H%M%S}000-00.parquet"


def load(generation: int, minutes: float = 0) -> LoadManifest:
    return LoadManifest(
        generation=generation,
        start_sequence=f"{generation:035d}",
        started_at=BEGAN + timedelta(minutes=minutes),
        files=(f"LOAD{generation:08X}.parquet",),
        rows=1,
    )


def delivery(day: str, etag: str = "a") -> Delivery:
    name = f"sales_orders-{day}.csv"
    return Delivery(path=f"raw/csv/sales_orders/{name}", name=name, day=day, etag=etag, size=1)


def plan(checkpoint=None, *, manifests=(), changes=(), deliveries=()) -> TablePlan:
    return pending(
        TABLE,
        commit=None if checkpoint is None else "1",
        checkpoint=checkpoint,
        manifests=manifests,
        changes=changes,
        deliveries=deliveries,
    )


def after(table_plan: TablePlan) -> Checkpoint:
    return advance(table_plan, contract_version="v", refused={})


def names(table_plan: TablePlan, *, replay: bool = False) -> list[str]:
    return [file.path.split("/", 3)[-1] for file in table_plan.files if file.replay is replay]


def test_changes_wait_for_a_complete_load():
    assert plan(changes=[change(1)]).is_empty


def test_what_was_applied_is_not_pending_again():
    first = plan(manifests=[load(1)], changes=[change(1), change(2)], deliveries=[delivery("20241121")])

    again = plan(after(first), manifests=[load(1)], changes=[change(1), change(2)], deliveries=[delivery("20241121")])

    assert len(first.files) == 4
    assert again.is_empty


def test_a_late_file_brings_the_newer_ones_along():
    applied = after(plan(manifests=[load(1)], changes=[change(1), change(5)]))

    late = plan(applied, manifests=[load(1)], changes=[change(1), change(3), change(5), change(6)])

    assert names(late) == [change(3), change(6)]
    assert names(late, replay=True) == [change(5)]


def test_the_checkpoint_forgets_what_the_window_has_left():
    old, new = change(0), change(LOOK_BACK.seconds // 60 + 1)
    applied = after(plan(manifests=[load(1)], changes=[old, new]))

    assert applied.high_water == new
    assert applied.recent == (new.rsplit("/", 1)[-1],)
    assert plan(applied, manifests=[load(1)], changes=[old, new]).is_empty


def test_only_recent_folders_are_listed_and_all_of_them_for_a_new_table():
    applied = after(plan(manifests=[load(1)], changes=[change(20)]))

    assert earliest_day(Checkpoint(), []) is None
    assert earliest_day(applied, [load(1)]) == "20241121"
    assert earliest_day(applied, [load(1), load(2, minutes=-60 * 24 * 3)]) == "20241117"


def test_a_reload_brings_along_the_changes_since_it_began():
    changes = [change(1), change(5), change(6)]
    applied = after(plan(manifests=[load(1)], changes=changes))

    reload = plan(applied, manifests=[load(1), load(2, minutes=4)], changes=changes)

    assert reload.opens_generation
    assert names(reload) == ["LOAD00000002.parquet"]
    assert names(reload, replay=True) == [change(5), change(6)]
    assert after(reload).generation == 2


def test_a_load_of_an_empty_table_is_pending_once():
    empty = replace(load(1), files=(), rows=0)

    first = plan(manifests=[empty])

    assert first.opens_generation
    assert not first.is_empty
    assert plan(after(first), manifests=[empty]).is_empty


def test_deliveries_are_told_apart_by_content_and_numbered_as_they_come():
    applied = after(plan(deliveries=[delivery("20241201"), delivery("20241101")]))
    assert {name: d.ordinal for name, d in applied.deliveries.items()} == {
        "sales_orders-20241101.csv": 1,
        "sales_orders-20241201.csv": 2,
    }

    corrected = plan(applied, deliveries=[delivery("20241101"), delivery("20241201", etag="b")])

    assert [(file.name, file.ordinal, file.replay) for file in corrected.files] == [
        ("sales_orders-20241201.csv", 3, False)
    ]


def test_an_older_export_is_judged_with_the_younger_ones():
    applied = after(plan(deliveries=[delivery("20241101"), delivery("20241201")]))

    late = plan(applied, deliveries=[delivery("20241101"), delivery("20241115"), delivery("20241201")])

    assert names(late) == ["sales_orders-20241115.csv"]
    assert names(late, replay=True) == ["sales_orders-20241201.csv"]


def test_plan_and_checkpoint_survive_their_journey():
    travelled = plan(manifests=[load(1)], changes=[change(1)], deliveries=[delivery("20241101")])
    checkpoint = after(travelled)

    assert TablePlan.from_dict(travelled.to_dict()) == travelled
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint
    assert from_delta_user_metadata(delta_user_metadata(checkpoint)) == checkpoint
    assert from_delta_user_metadata("somebody's note") is None


def test_a_checkpoint_of_another_format_is_not_guessed_at():
    with pytest.raises(ValueError, match="another version"):
        Checkpoint.from_json('{"format": 2}')
