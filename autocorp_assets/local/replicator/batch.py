"""The changes between two checkpoints: turned into rows, spilled to staged files, sealed into one commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from autocorp_assets.contracts.raw_format import table_prefix
from autocorp_assets.local.replicator import sequence
from autocorp_assets.local.replicator.checkpoint import Checkpoint, Rename
from autocorp_assets.local.replicator.pgoutput import Absent, Delete, Insert, Row, Update
from autocorp_assets.local.replicator.raw_zone import RawZone, StagedFile, manifest
from autocorp_assets.local.replicator.rows import ChangeRows
from autocorp_assets.local.replicator.table import SourceTable

SPILL_ROWS = 50_000
SPILL_BYTES = 64 * 1024 * 1024
FILE_ROWS = 5_000_000

Lookup = Callable[[SourceTable, list[int], Row], Row]
"""Present values of some columns of the row with the key of the given one; NULLs when there is none."""


@dataclass
class _Part:
    """One change file in the making; its rows are of one shape and one day."""

    table: SourceTable
    folder: str
    staged: str
    file: StagedFile
    rows: ChangeRows

    def spill(self) -> None:
        if len(self.rows):
            self.file.append(self.rows.to_batch())
            self.rows = ChangeRows(self.table)


class Batch:
    """Collects changes after a checkpoint and seals them into the next one.

    A table has one open part at a time, and starts another when its shape or the day changes: so
    rows of two shapes never meet in a file, and part numbers follow the order of the changes.
    """

    def __init__(self, *, zone: RawZone, checkpoint: Checkpoint, lookup: Lookup) -> None:
        self._zone = zone
        self._checkpoint = checkpoint
        self._lookup = lookup
        self.clock = sequence.ChangeClock(time=checkpoint.sequence_time, counter=checkpoint.counter)
        self._open: dict[str, _Part] = {}
        self._closed: list[tuple[str, str, str]] = []  # table, folder, staged
        self._truncations: list[tuple[str, str, list[str]]] = []  # sequence, commit time, tables
        self._bytes = 0
        self._rows_in_memory = 0
        self.changes = 0
        self._born: float | None = None

    @property
    def is_empty(self) -> bool:
        return not self.changes and not self._truncations

    @property
    def age(self) -> float:
        """Seconds since its first change; 0 without any."""
        return 0.0 if self._born is None else time.monotonic() - self._born

    def insert(self, table: SourceTable, message: Insert, size: int) -> None:
        self._add(table, "I", message.new, size)

    def update(self, table: SourceTable, message: Update, size: int) -> None:
        """An update; one of the key is a delete of the old row and an insert of the new one."""
        old, new = message.old, message.new
        if old is not None and message.old_is_full:
            new = [before if after is Absent.UNCHANGED else after for before, after in zip(old, new, strict=True)]
        if old is None or all(old[at] == new[at] for at in table.key):
            self._add(table, "U", new, size)
            return
        if missing := [at for at, value in enumerate(new) if value is Absent.UNCHANGED]:
            # Nothing is stored under the new key that "unchanged" could stand for.
            for at, value in zip(missing, self._lookup(table, missing, new), strict=True):
                new[at] = value
        self._add(table, "D", old, 0)
        self._add(table, "I", new, size)

    def delete(self, table: SourceTable, message: Delete, size: int) -> None:
        self._add(table, "D", message.old, size)

    def truncate(self, tables: list[SourceTable]) -> None:
        """From here on the tables are empty: a load generation without rows says exactly that."""
        self._born = self._born or time.monotonic()
        names = [table.name for table in tables]
        self._truncations.append((self.clock.next(), self.clock.commit_time, names))

    def seal(self, *, lsn: int) -> Checkpoint:
        """Stage everything, and give the checkpoint that commits it."""
        for name in sorted(self._open):
            self._close(name)
        known = self._checkpoint
        now = datetime.now(UTC)
        file_time = max(known.file_time, sequence.file_time(now))
        number = known.batch + (not self.is_empty)
        renames = [*self._stage_truncations(file_time, now)]
        parts: dict[str, int] = {}
        for table, folder, staged in self._closed:
            parts[table] = parts.get(table, 0) + 1
            name = f"{file_time}-{number:010d}-{parts[table]:02d}.parquet"
            renames.append(Rename(staged, f"{table_prefix(table)}/{folder}/{name}"))
        return replace(
            known,
            generation=known.generation + len(self._truncations),
            lsn=lsn,
            previous_lsn=known.lsn,
            sequence_time=self.clock.time,
            counter=self.clock.counter,
            batch=number,
            file_time=known.file_time if self.is_empty else file_time,
            changes=known.changes + self.changes,
            last_commit_time=self.clock.commit_time or known.last_commit_time,
            renames=tuple(renames),
        )

    def _add(self, table: SourceTable, op: str, row: Row, size: int) -> None:
        part = self._part(table)
        part.rows.append(op, row, commit_time=self.clock.commit_time, sequence=self.clock.next())
        self._born = self._born or time.monotonic()
        self.changes += 1
        self._bytes += size
        self._rows_in_memory += 1
        if self._rows_in_memory >= SPILL_ROWS or self._bytes >= SPILL_BYTES:
            self._spill()

    def _part(self, table: SourceTable) -> _Part:
        part = self._open.get(table.name)
        if part is not None:
            if part.table == table and part.folder == self.clock.day_folder and part.file.rows < FILE_ROWS:
                return part
            self._close(table.name)
        staged, file = self._zone.stage(table.change_schema)
        part = _Part(table, self.clock.day_folder, staged, file, ChangeRows(table))
        self._open[table.name] = part
        return part

    def _spill(self) -> None:
        for part in self._open.values():
            part.spill()
        self._bytes = self._rows_in_memory = 0

    def _close(self, name: str) -> None:
        part = self._open.pop(name)
        part.spill()
        part.file.close()
        self._closed.append((name, part.folder, part.staged))

    def _stage_truncations(self, file_time: str, now: datetime) -> list[Rename]:
        # The time of this batch's files: readers look from there on for changes that overlap the generation.
        started = datetime.strptime(f"{file_time}000", "%Y%m%d-%H%M%S%f").replace(tzinfo=UTC)
        return [
            self._zone.stage_manifest(
                manifest(
                    generation=self._checkpoint.generation + index,
                    start_sequence=start,
                    started_at=started.isoformat().replace("+00:00", "Z"),
                    completed_at=now.isoformat().replace("+00:00", "Z"),
                    files={name: (0, []) for name in names},
                )
            )
            for index, (start, _, names) in enumerate(self._truncations, start=1)
        ]
