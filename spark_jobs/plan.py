"""Which raw files a table has yet to take in. Pure: listings and checkpoint in, plan out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import CHANGE_FILE, table_prefix
from spark_jobs.checkpoint import AppliedDelivery, Checkpoint

LARGE_BYTES = 16 * 1024 * 1024
LARGE_ROWS = 100_000
LOOK_BACK = timedelta(minutes=30)
"""How far behind the high-water mark a change file may still appear and be told from an applied one.

DMS uploads within its CdcMaxBatchInterval (60 s); the window bounds the names in each commit.
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


def pending(
    contract: TableContract,
    *,
    commit: str | None,
    checkpoint: Checkpoint | None,
    manifests: Sequence[LoadManifest],
    changes: Sequence[str],
    deliveries: Sequence[Delivery],
) -> TablePlan:
    """The plan for a table.

    Args:
        contract: the table.
        commit: its newest commit, None when it does not exist.
        checkpoint: what that commit remembers.
        manifests: complete loads of the table, in any order.
        changes: paths of change files below the table's raw folder, from `earliest_day` on.
        deliveries: whole CSV files of the table's feed.
    """
    known = checkpoint or Checkpoint()
    loads = sorted(manifests, key=lambda manifest: manifest.generation)
    return TablePlan(
        table=contract.name,
        base_commit=commit,
        checkpoint=known,
        load_starts=tuple((load.generation, load.start_sequence) for load in loads),
        files=(
            *_load_files(contract.name, known, loads),
            *(_change_files(contract.name, known, loads, changes) if loads else ()),
            *_csv_files(known, deliveries),
        ),
        load_rows=sum(load.rows for load in loads if load.generation > known.generation),
    )


def advance(plan: TablePlan, *, contract_version: str, refused: dict[str, str]) -> Checkpoint:
    """The checkpoint after the whole plan was applied; `refused` gives reasons by CSV file name."""
    applied = {path for file in plan.files if file.kind is FileKind.CHANGE for path in [_below_table(file.path)]}
    high_water = max([*applied, plan.checkpoint.high_water], key=_name)
    start = _window_start(high_water)
    names = {_name(path) for path in applied} | set(plan.checkpoint.recent)
    fresh = {
        file.name: AppliedDelivery(
            etag=file.etag, size=file.size, day=file.day, ordinal=file.ordinal, refused=refused.get(file.name)
        )
        for file in plan.csv_files
        if not file.replay
    }
    return Checkpoint(
        contract_version=contract_version,
        generation=plan.next_generation,
        high_water=high_water,
        recent=tuple(sorted(name for name in names if name >= start)),
        deliveries={**plan.checkpoint.deliveries, **fresh},
    )


def _load_files(table: str, known: Checkpoint, loads: Sequence[LoadManifest]) -> list[SourceFile]:
    return [
        SourceFile(path=f"{table_prefix(table)}/{name}", kind=FileKind.LOAD, generation=load.generation)
        for load in loads
        if load.generation > known.generation
        for name in load.files
    ]


def _change_files(
    table: str, known: Checkpoint, loads: Sequence[LoadManifest], changes: Sequence[str]
) -> list[SourceFile]:
    applied = set(known.recent)
    in_sight = [path for path in changes if _name(path) >= _window_start(known.high_water)]
    new = [path for path in in_sight if _name(path) not in applied]
    # A file that belongs before applied ones, or a load that overlaps them, decides anew about their keys.
    overlapped = [f"{load.started_at:%Y%m%d-%H%M%S}" for load in loads if 0 < known.generation < load.generation]
    late = [_name(path) for path in new if _name(path) < _name(known.high_water)]
    start_again = min([*overlapped, *late], default=None)
    again = [] if start_again is None else [p for p in changes if _name(p) >= start_again and p not in new]
    chosen = [(path, False) for path in new] + [(path, True) for path in again]
    return [
        SourceFile(path=f"{table_prefix(table)}/{path}", kind=FileKind.CHANGE, replay=replay)
        for path, replay in sorted(chosen, key=lambda item: _name(item[0]))
    ]


def _csv_files(known: Checkpoint, deliveries: Sequence[Delivery]) -> list[SourceFile]:
    def is_new(delivery: Delivery) -> bool:
        applied = known.deliveries.get(delivery.name)
        return applied is None or (applied.etag, applied.size) != (delivery.etag, delivery.size)

    in_order = sorted(deliveries, key=lambda delivery: (delivery.day, delivery.name))
    new = [delivery for delivery in in_order if is_new(delivery)]
    if not new:
        return []
    next_ordinal = 1 + max((applied.ordinal for applied in known.deliveries.values()), default=0)
    ordinals = {delivery.name: next_ordinal + index for index, delivery in enumerate(new)}
    # An older export that comes late is judged together with the younger ones that were applied before it.
    first_day = new[0].day
    again = [
        d for d in in_order if d.name not in ordinals and d.day > first_day and not known.deliveries[d.name].refused
    ]
    return [
        SourceFile(
            path=delivery.path,
            kind=FileKind.CSV,
            replay=delivery.name not in ordinals,
            day=delivery.day,
            ordinal=ordinals.get(delivery.name) or known.deliveries[delivery.name].ordinal,
            etag=delivery.etag,
            size=delivery.size,
        )
        for delivery in sorted((*new, *again), key=lambda d: (d.day, d.name))
    ]


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _below_table(path: str) -> str:
    """The part of a raw path below `raw/database/<table>/`."""
    return path.split("/", 3)[-1]


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)


def _window_start(high_water: str) -> str:
    """Lowest file name of the look-back window, comparable with names; empty without a mark."""
    match = CHANGE_FILE.fullmatch(_name(high_water))
    if match is None:
        return ""
    time = datetime.strptime(match["time"] + "000", "%Y%m%d-%H%M%S%f").replace(tzinfo=UTC)
    return f"{time - LOOK_BACK:%Y%m%d-%H%M%S}"
