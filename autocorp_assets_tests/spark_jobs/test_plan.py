"""What is pending follows from listings and checkpoint alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from autocorp_assets.contracts import TABLES
from spark_jobs.checkpoint import Checkpoint, delta_user_metadata, from_delta_user_metadata
from spark_jobs.look_back import LOOK_BACK
from spark_jobs.pending import earliest_day, pending
from spark_jobs.plan import ChangeFile, Delivery, FileKind, LoadManifest, TablePlan, advance

TABLE = TABLES["sales_order"]
BEGAN = datetime(2024, 11, 21, 23, 50, tzinfo=UTC)
WINDOW = LOOK_BACK.seconds // 60


def at(minutes: float) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


def change(minutes: float, *, written: float | None = None) -> ChangeFile:
    """A file that was named so many minutes after BEGAN, and written then unless told otherwise."""
    path = f"{at(minutes):year=%Y/month=%m/day=%d/%Y%m%d-%H%M%S}000-00.parquet"
    return ChangeFile(path=path, modified=at(minutes if written is None else written))


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


def sequence(minutes: float) -> str:
    """Of a change that was committed then."""
    return f"{at(minutes):%Y%m%d%H%M%S%f}"[:16].ljust(35, "0")


def told_at(file: ChangeFile) -> str:
    """Least sequence of a file whose changes were committed just before it was named."""
    return file.name[:15].replace("-", "").ljust(35, "0")


def plan(
    checkpoint=None,
    *,
    manifests=(),
    changes=(),
    deliveries=(),
    listed=0.0,
    first_sequences=MappingProxyType({}),
    again=(),
) -> TablePlan:
    return pending(
        TABLE,
        commit=None if checkpoint is None else "1",
        checkpoint=checkpoint,
        manifests=manifests,
        changes=changes,
        deliveries=deliveries,
        listed_at=at(listed),
        first_sequences={file.name: told_at(file) for file in changes} | (first_sequences or {}),
        again=again,
    )


def after(table_plan: TablePlan) -> Checkpoint:
    newest = max((file.name for file in table_plan.files if file.kind is FileKind.CHANGE), default="")
    high_sequence = newest[:15].replace("-", "").ljust(35, "0") if newest else ""
    return advance(table_plan, contract_version="v", refused={}, high_sequence=high_sequence)


def names(table_plan: TablePlan, *, replay: bool = False) -> list[str]:
    return [file.name for file in table_plan.files if file.replay is replay]


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

    assert names(late) == [change(3).name, change(6).name]
    assert names(late, replay=True) == [change(1).name, change(5).name], (
        "clocks may differ: by name, 1 could hold newer changes"
    )
    assert late.refold_sequence == sequence(3)


def test_a_change_sent_once_more_under_a_newer_name_brings_along_all_that_may_be_newer_than_it():
    first, deleted, resent = change(1), change(50), change(120)
    known = after(plan(manifests=[load(1)], changes=[first, deleted], listed=60))

    again = plan(
        known,
        manifests=[load(1)],
        changes=[first, deleted, resent],
        listed=121,
        first_sequences={resent.name: sequence(45)},
    )

    assert names(again) == [resent.name]
    assert names(again, replay=True) == [deleted.name]
    assert again.refold_sequence == sequence(45)


def test_the_checkpoint_forgets_what_the_window_has_left():
    old, new = change(0), change(WINDOW + 1)
    applied = after(plan(manifests=[load(1)], changes=[old, new], listed=2 * WINDOW + 2))

    assert applied.high_water == new.path
    assert set(applied.recent) == {new.name}
    assert plan(applied, manifests=[load(1)], changes=[old, new], listed=2 * WINDOW + 3).is_empty


def test_a_file_from_before_the_window_is_taken_in_once_when_it_comes_after_the_last_listing():
    first, high, now = change(0), change(10 * WINDOW), 10 * WINDOW + 1
    applied = after(plan(manifests=[load(1)], changes=[first, high], listed=now))
    lost = change(1, written=now + 1)
    listing = {"manifests": [load(1)], "changes": [first, lost, high]}

    late = plan(applied, **listing, listed=now + 2)

    assert names(late) == [lost.name]
    assert names(late, replay=True) == [first.name, high.name]
    assert {lost.name, high.name} <= set(after(late).recent)
    for later in (now + 3, now + 4 * WINDOW):
        assert plan(after(late), **listing, listed=later).is_empty
        newer = plan(after(late), manifests=[load(1)], changes=[first, lost, high, change(later)], listed=later)
        assert names(newer) == [change(later).name]
        assert plan(after(newer), **listing, listed=later + 1).is_empty


def test_a_file_to_be_judged_again_is_accounted_for_anew_and_newer_ones_keep_their_place():
    changes = [change(1), change(5), change(6)]
    first = plan(manifests=[load(1)], changes=changes, deliveries=[delivery("20241101"), delivery("20241201")])
    applied = after(first)

    again = plan(
        applied,
        manifests=[load(1)],
        changes=changes,
        deliveries=[delivery("20241101"), delivery("20241201")],
        again={change(5).name, "sales_orders-20241101.csv"},
    )

    assert names(again) == [change(5).name, "sales_orders-20241101.csv"]
    assert names(again, replay=True) == [change(1).name, change(6).name, "sales_orders-20241201.csv"]
    assert again.refold_sequence == sequence(5)
    assert {file.name: file.judged_before for file in again.files if not file.replay} == dict.fromkeys(
        names(again), True
    )
    assert [file.ordinal for file in again.csv_files] == [file.ordinal for file in first.csv_files]
    assert after(again).deliveries == applied.deliveries
    assert after(again).revision == applied.revision + 1


def test_a_load_to_be_judged_again_brings_along_every_change_since_it_began():
    changes = [change(-1), change(1)]
    applied = after(plan(manifests=[load(1)], changes=changes))

    again = plan(applied, manifests=[load(1)], changes=changes, again={"LOAD00000001.parquet"})

    assert not again.opens_generation
    assert names(again) == ["LOAD00000001.parquet"]
    assert names(again, replay=True) == [change(1).name]


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
    assert names(reload, replay=True) == [change(5).name, change(6).name]
    assert after(reload).generation == 2


def test_a_load_file_name_that_was_used_again_is_read_once_for_its_newest_load():
    again = replace(load(2), files=load(1).files)
    applied = after(plan(manifests=[load(1)]))

    assert [(file.name, file.generation) for file in plan(manifests=[load(1), again]).files] == [
        ("LOAD00000001.parquet", 2)
    ]
    assert [(file.name, file.generation) for file in plan(applied, manifests=[load(1), again]).files] == [
        ("LOAD00000001.parquet", 2)
    ]


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

    assert [(file.name, file.ordinal, file.replay, file.judged_before) for file in corrected.files] == [
        ("sales_orders-20241201.csv", 3, False, True)
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
        Checkpoint.from_json('{"format": 1}')


def test_a_reload_that_writes_over_a_file_of_its_name_is_judged_anew_under_it():
    again = replace(load(2), files=load(1).files)

    (file,) = plan(Checkpoint(generation=1), manifests=(load(1), again)).files

    assert (file.generation, file.judged_before) == (2, True)
    assert not plan(Checkpoint(), manifests=(load(1), again)).files[0].judged_before
