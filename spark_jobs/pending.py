"""Which raw files a table has yet to take in, and which it reads again. Pure: listings and checkpoint in, plan out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from types import MappingProxyType

from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import table_prefix
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.look_back import day_of, flushed_from, late_since, window_start
from spark_jobs.plan import ChangeFile, Delivery, FileKind, LoadManifest, SourceFile, TablePlan

_DAY = re.compile(r"(?:year=)?(\d{4})/(?:month=)?(\d{2})/(?:day=)?(\d{2})/")


def earliest_day(checkpoint: Checkpoint, manifests: Iterable[LoadManifest]) -> str | None:
    """First day folder (YYYYMMDD) in which a change file of interest can lie; None for all of them.

    Folders are named by commit date, and commits come in order: nothing new lies before the folder
    of the high-water mark, but for files within the look-back window.
    """
    folder = _DAY.search(checkpoint.high_water)
    if folder is None:
        return None
    days = [day_of("".join(folder.groups())) - timedelta(days=1)]
    days += [m.started_at - timedelta(days=1) for m in manifests if m.generation > checkpoint.generation]
    return min(days).strftime("%Y%m%d")


def unapplied(known: Checkpoint, changes: Iterable[ChangeFile], again: Collection[str] = ()) -> list[ChangeFile]:
    """The change files that a table has not taken in, and those that it is to judge `again` (names)."""
    window = window_start(known.high_water)
    since = late_since(known.listed_at)
    return [
        file
        for file in changes
        if file.name in again
        or (file.name not in known.recent and (file.name >= window or file.modified.timestamp() >= since))
    ]


def refold_from(
    known: Checkpoint,
    loads: Iterable[LoadManifest],
    new: Sequence[ChangeFile],
    first_sequences: Mapping[str, str],
    again: Collection[str] = (),
) -> str | None:
    """From which file name on applied change files are read again, since `new` ones or loads belong before them.

    A file is late if it holds a change older than the newest one applied, whatever its name: a capture that
    fails over may send changes once more, under a newer name. Which files hold the changes after that one
    follows from its time, since a file is named when it is flushed.

    Args:
        known: what the table remembers.
        loads: complete loads of the table.
        new: files to be applied.
        first_sequences: least change sequence of each new file that has a change, by the file's name.
        again: names of applied files to be judged once more.
    """
    starts = [f"{load.started_at:%Y%m%d-%H%M%S}" for load in _read_anew(known, loads, again)]
    starts += [
        flushed_from(first)
        for file in new
        if (first := first_sequences.get(file.name)) is not None and first <= known.high_sequence
    ]
    return min(starts, default=None)


def pending(
    contract: TableContract,
    *,
    commit: str | None,
    checkpoint: Checkpoint | None,
    manifests: Sequence[LoadManifest],
    changes: Sequence[ChangeFile],
    deliveries: Sequence[Delivery],
    listed_at: datetime,
    first_sequences: Mapping[str, str] = MappingProxyType({}),
    again: Collection[str] = (),
) -> TablePlan:
    """The plan for a table.

    Args:
        contract: the table.
        commit: its newest commit, None when it does not exist.
        checkpoint: what that commit remembers.
        manifests: complete loads of the table, in any order.
        changes: change files of the table, from `earliest_day` on, and from the day of `refold_from`.
        deliveries: whole CSV files of the table's feed.
        listed_at: when the listings were begun.
        first_sequences: see `refold_from`.
        again: names of applied files to be judged and accounted for once more.
    """
    known = checkpoint or Checkpoint()
    loads = sorted(manifests, key=lambda manifest: manifest.generation)
    new = unapplied(known, changes, again)
    replays = refold_from(known, loads, new, first_sequences, again) is not None
    return TablePlan(
        table=contract.name,
        base_commit=commit,
        checkpoint=known,
        load_starts=tuple((load.generation, load.start_sequence) for load in loads),
        files=(
            *_load_files(contract.name, known, loads, again),
            *(
                _change_files(contract.name, known, loads, changes, first_sequences=first_sequences, again=again)
                if loads
                else ()
            ),
            *_csv_files(known, deliveries, again),
        ),
        load_rows=sum(load.rows for load in loads if load.generation > known.generation),
        listed_at=listed_at.isoformat(),
        refold_sequence=_refold_sequence(known, loads, new, first_sequences, again) if replays else "",
    )


def _load_files(
    table: str, known: Checkpoint, loads: Sequence[LoadManifest], again: Collection[str]
) -> list[SourceFile]:
    wanted = {
        name: load  # a name that a later load uses again holds that load's rows
        for load in loads
        for name in load.files
        if load.generation > known.generation or (load.generation == known.generation and name in again)
    }
    judged = {name for load in loads if load.generation <= known.generation for name in load.files}
    return [
        SourceFile(
            path=f"{table_prefix(table)}/{name}",
            kind=FileKind.LOAD,
            generation=load.generation,
            judged_before=name in judged,  # also where a reload of DMS has written over a file of that name
        )
        for name, load in wanted.items()
    ]


def _change_files(
    table: str,
    known: Checkpoint,
    loads: Sequence[LoadManifest],
    changes: Sequence[ChangeFile],
    *,
    first_sequences: Mapping[str, str],
    again: Collection[str],
) -> list[SourceFile]:
    new = unapplied(known, changes, again)
    names = {file.name for file in new}
    start = refold_from(known, loads, new, first_sequences, again)
    replayed = [] if start is None else [file for file in changes if file.name >= start and file.name not in names]
    return [
        SourceFile(
            path=f"{table_prefix(table)}/{file.path}",
            kind=FileKind.CHANGE,
            replay=file.name not in names,
            judged_before=file.name in again,
            modified=int(file.modified.timestamp()),
        )
        for file in sorted((*new, *replayed), key=lambda file: file.name)
    ]


def _refold_sequence(
    known: Checkpoint,
    loads: Iterable[LoadManifest],
    new: Iterable[ChangeFile],
    first_sequences: Mapping[str, str],
    again: Collection[str],
) -> str:
    """Least change that a plan with replayed files decides anew."""
    starts = (load.start_sequence for load in _read_anew(known, loads, again))
    return min([*starts, *(first_sequences[file.name] for file in new if file.name in first_sequences)], default="")


def _read_anew(known: Checkpoint, loads: Iterable[LoadManifest], again: Collection[str]) -> list[LoadManifest]:
    """Loads whose rows are read on top of a table that has some: they overlap changes that were applied."""
    return [
        load
        for load in loads
        if 0 < known.generation < load.generation
        or (load.generation == known.generation and not set(load.files).isdisjoint(again))
    ]


def _csv_files(known: Checkpoint, deliveries: Sequence[Delivery], again: Collection[str]) -> list[SourceFile]:
    def is_applied(delivery: Delivery) -> bool:
        applied = known.deliveries.get(delivery.name)
        return applied is not None and (applied.etag, applied.size) == (delivery.etag, delivery.size)

    in_order = sorted(deliveries, key=lambda delivery: (delivery.day, delivery.name))
    judged = [delivery for delivery in in_order if delivery.name in again or not is_applied(delivery)]
    if not judged:
        return []
    ordinals = {name: applied.ordinal for name, applied in known.deliveries.items()}
    arrivals = count(1 + max(ordinals.values(), default=0))
    ordinals |= {delivery.name: next(arrivals) for delivery in judged if not is_applied(delivery)}
    # An older export that comes late is judged together with the younger ones that were applied before it.
    names = {delivery.name for delivery in judged}
    replayed = [
        delivery
        for delivery in in_order
        if delivery.name not in names and delivery.day > judged[0].day and not known.deliveries[delivery.name].refused
    ]
    return [
        SourceFile(
            path=delivery.path,
            kind=FileKind.CSV,
            replay=delivery.name not in names,
            judged_before=delivery.name in names and delivery.name in known.deliveries,
            day=delivery.day,
            ordinal=ordinals[delivery.name],
            etag=delivery.etag,
            size=delivery.size,
        )
        for delivery in sorted((*judged, *replayed), key=lambda delivery: (delivery.day, delivery.name))
    ]
