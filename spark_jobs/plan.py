"""Which raw files a table has yet to take in. Pure: listings and checkpoint in, plan out."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from types import MappingProxyType
from typing import Any, Self

from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import CHANGE_FILE, table_prefix
from spark_jobs.checkpoint import AppliedDelivery, Checkpoint

LARGE_BYTES = 16 * 1024 * 1024
LARGE_ROWS = 100_000
LOOK_BACK = timedelta(minutes=30)
"""How far behind the high-water mark applied change files are remembered by name.

DMS uploads within its CdcMaxBatchInterval (60 s); the window bounds the names in each commit. A file with an
older name is told from an applied one by when it was written: after raw was last listed, with the window
again for clocks that differ and uploads that took long.
"""
_DAY = re.compile(r"(?:year=)?(\d{4})/(?:month=)?(\d{2})/(?:day=)?(\d{2})/")


class FileKind(StrEnum):
    LOAD = "load"
    CHANGE = "change"
    CSV = "csv"


@dataclass(frozen=True, kw_only=True)
class LoadManifest:
    """One complete load generation, as far as it concerns one table."""

    generation: int
    start_sequence: str
    started_at: datetime
    files: tuple[str, ...]
    """Names of LOAD files in the table's raw folder."""
    rows: int


@dataclass(frozen=True, kw_only=True)
class ChangeFile:
    """A change file as a listing shows it."""

    path: str
    """Below the table's raw folder."""
    modified: datetime
    """UTC."""

    @property
    def name(self) -> str:
        return _name(self.path)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A whole CSV file in the raw zone."""

    path: str
    """Relative to the lake's root."""
    name: str
    day: str
    etag: str
    size: int


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A raw file for the job to read."""

    path: str
    """Relative to the lake's root."""
    kind: FileKind
    replay: bool = False
    """Applied before; read again because a file that belongs before it has arrived since."""
    judged_before: bool = False
    """A file of this name was accounted for before: this account takes the place of that one."""
    modified: int = 0
    """Change files: when it was written, in seconds of the epoch."""
    generation: int = 0
    """LOAD files: their generation."""
    day: str = ""
    ordinal: int = 0
    etag: str = ""
    size: int = 0

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        kind = FileKind(value["kind"])
        return cls(kind=kind, **{name: item for name, item in value.items() if name != "kind"})


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """Everything that one run does to one table."""

    table: str
    base_commit: str | None
    """The commit on which the plan stands; the job refuses when the table has moved on."""
    checkpoint: Checkpoint
    load_starts: tuple[tuple[int, str], ...] = ()
    """(generation, start sequence) of every load, ascending."""
    files: tuple[SourceFile, ...] = ()
    load_rows: int = 0
    """Rows of the loads that the plan takes in."""
    listed_at: str = ""
    """When raw was listed; ISO, UTC."""
    refold_sequence: str = ""
    """Rows of replayed files count from this change on: of older ones the plan may not hold every one, and the
    table has them. Empty without replayed files."""

    @property
    def is_large(self) -> bool:
        """Whether the work takes so long that a JVM's thorough compilation pays."""
        return sum(file.size for file in self.files) > LARGE_BYTES or self.load_rows > LARGE_ROWS

    @property
    def is_empty(self) -> bool:
        return not self.files and self.next_generation == self.checkpoint.generation

    @property
    def next_generation(self) -> int:
        return max((generation for generation, _ in self.load_starts), default=0)

    @property
    def opens_generation(self) -> bool:
        """Whether the plan takes in a load; one of an empty table has no file."""
        return self.next_generation > self.checkpoint.generation

    @property
    def database_files(self) -> tuple[SourceFile, ...]:
        return tuple(file for file in self.files if file.kind is not FileKind.CSV)

    @property
    def csv_files(self) -> tuple[SourceFile, ...]:
        return tuple(file for file in self.files if file.kind is FileKind.CSV)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "checkpoint": self.checkpoint.to_json()}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        return cls(
            table=value["table"],
            base_commit=value["base_commit"],
            checkpoint=Checkpoint.from_json(value["checkpoint"]),
            load_starts=tuple((generation, start) for generation, start in value["load_starts"]),
            files=tuple(SourceFile.from_dict(file) for file in value["files"]),
            load_rows=value["load_rows"],
            listed_at=value["listed_at"],
            refold_sequence=value["refold_sequence"],
        )


def earliest_day(checkpoint: Checkpoint, manifests: Iterable[LoadManifest]) -> str | None:
    """First day folder (YYYYMMDD) in which a change file of interest can lie; None for all of them.

    Folders are named by commit date, and commits come in order: nothing new lies before the folder
    of the high-water mark, but for files within the look-back window.
    """
    folder = _DAY.search(checkpoint.high_water)
    if folder is None:
        return None
    days = [_day("".join(folder.groups())) - timedelta(days=1)]
    days += [m.started_at - timedelta(days=1) for m in manifests if m.generation > checkpoint.generation]
    return min(days).strftime("%Y%m%d")


def day_before(name: str) -> str:
    """First day folder (YYYYMMDD) of files with this name or a later one: a commit before midnight is flushed after it.

    Empty, which is before any day, for a name without a time.
    """
    return f"{_day(name[:8]) - timedelta(days=1):%Y%m%d}" if name else ""


def unapplied(known: Checkpoint, changes: Iterable[ChangeFile], again: Collection[str] = ()) -> list[ChangeFile]:
    """The change files that a table has not taken in, and those that it is to judge `again` (names)."""
    window = _window_start(known.high_water)
    since = _late_since(known.listed_at)
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


def advance(
    plan: TablePlan, *, contract_version: str, refused: Mapping[str, str], high_sequence: str = ""
) -> Checkpoint:
    """The checkpoint after the whole plan was applied.

    Args:
        plan: what was applied.
        contract_version: of the contract by which it was judged.
        refused: reasons by name of CSV files that were not read.
        high_sequence: greatest change sequence among the plan's rows; empty without any.
    """
    known = plan.checkpoint
    changes = [file for file in plan.files if file.kind is FileKind.CHANGE]
    high_water = max([*(_below_table(file.path) for file in changes), known.high_water], key=_name)
    window = _window_start(high_water)
    since = _late_since(plan.listed_at)
    written = {**known.recent, **{file.name: file.modified for file in changes}}
    fresh = {
        file.name: AppliedDelivery(
            etag=file.etag, size=file.size, day=file.day, ordinal=file.ordinal, refused=refused.get(file.name)
        )
        for file in plan.csv_files
        if not file.replay
    }
    return Checkpoint(
        contract_version=contract_version,
        revision=known.revision + 1,
        generation=plan.next_generation,
        high_water=high_water,
        high_sequence=max(known.high_sequence, high_sequence),
        recent={name: modified for name, modified in sorted(written.items()) if name >= window or modified >= since},
        listed_at=plan.listed_at,
        deliveries={**known.deliveries, **fresh},
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
    return [
        SourceFile(
            path=f"{table_prefix(table)}/{name}",
            kind=FileKind.LOAD,
            generation=load.generation,
            judged_before=load.generation <= known.generation,
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


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _below_table(path: str) -> str:
    """The part of a raw path below `raw/database/<table>/`."""
    return path.split("/", 3)[-1]


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)


def flushed_from(sequence: str) -> str:
    """Lowest name of a file that can hold this change or a later one; the clocks of source and capture may differ."""
    try:
        time = datetime.strptime(f"{sequence[:16]}0000", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:  # no time in it: anywhere
        return ""
    return f"{time - LOOK_BACK:%Y%m%d-%H%M%S}"


def _late_since(listed_at: str) -> float:
    """A file written after this (seconds of the epoch) was not in the listing, or is remembered by name."""
    return (datetime.fromisoformat(listed_at) - LOOK_BACK).timestamp() if listed_at else math.inf


def _window_start(high_water: str) -> str:
    """Lowest file name of the look-back window, comparable with names; empty without a mark."""
    match = CHANGE_FILE.fullmatch(_name(high_water))
    if match is None:
        return ""
    time = datetime.strptime(match["time"] + "000", "%Y%m%d-%H%M%S%f").replace(tzinfo=UTC)
    return f"{time - LOOK_BACK:%Y%m%d-%H%M%S}"
