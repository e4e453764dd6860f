"""What one run does to a table, and what the table remembers of it afterwards. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from spark_jobs.checkpoint import AppliedDelivery, Checkpoint
from spark_jobs.look_back import late_since, name_of, window_start

LARGE_BYTES = 16 * 1024 * 1024
LARGE_ROWS = 100_000


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
        return name_of(self.path)


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
    delivered_as: str = ""
    """CSV content that a corrected file replaced: the path that it had."""

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
    from_nothing: bool = False
    """The files are all that raw has, and what comes of them takes the place of the whole table. The checkpoint is
    that of an empty table, but for its revision."""

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
            from_nothing=value["from_nothing"],
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
    high_water = max([*(_below_table(file.path) for file in changes), known.high_water], key=name_of)
    window = window_start(high_water)
    since = late_since(plan.listed_at)
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


def _below_table(path: str) -> str:
    """The part of a raw path below `raw/database/<table>/`."""
    return path.split("/", 3)[-1]
