"""What became of each version of a row. Pure: versions, the stored row and the table's circumstances in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autocorp_assets.contracts.model import SourceSystem, TableContract
from autocorp_assets.lake.row_versions import Version, is_same
from spark_jobs.change_seq import GENERATION_DIGITS, generation_text


@dataclass(frozen=True, kw_only=True)
class StoredRow:
    """A record as the lake has it now."""

    record_key: str
    change_seq: str
    changed_at: str | None
    raw_file: str | None
    commit: str | None
    """The commit that wrote it; None for Delta, which does not keep that with the row."""


@dataclass(frozen=True, kw_only=True)
class TracedVersion:
    """A version and what became of it."""

    version: Version
    changed: tuple[str, ...]
    """Columns whose value is another than in the version before; all that have one, in the first."""
    became: str


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What bears on the versions of a table's records."""

    contract: TableContract
    generation: int
    """Newest complete load; 0 without one, for which the database's changes wait."""
    pending: frozenset[str] = frozenset()
    """Raw files that the next run takes in."""
    quarantined: Mapping[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    """Reasons by file and position."""
    newest_delivery: str | None = None
    """The newest file that holds the order: it replaced all of the order's lines."""


def judge(versions: Sequence[Version], stored: StoredRow | None, circumstances: Circumstances) -> list[TracedVersion]:
    """What became of each version of one record.

    Args:
        versions: oldest first.
        stored: the record as the lake has it.
        circumstances: of its table.
    """
    current = None if stored is None else _stored_version(versions, stored)
    aside = {id(version): _aside(version, circumstances) for version in versions if version is not current}
    # What is in quarantine or yet to come does not stand in the way of an older version.
    standing = [version for version in versions if not aside.get(id(version))]
    return [
        TracedVersion(
            version=version,
            changed=_changed(version, before, circumstances.contract),
            became=aside.get(id(version))
            or _Fate(
                version=version,
                newer=standing[standing.index(version) + 1 :],
                stored=stored,
                current=current,
                circumstances=circumstances,
            ).told(),
        )
        for before, version in zip([None, *versions], versions, strict=False)
    ]


def _stored_version(versions: Sequence[Version], stored: StoredRow) -> Version | None:
    """The version that the lake has.

    A delivery that a corrected file replaced has lost its ordinal: its name and the row's position tell.
    """
    exact = [version for version in versions if version.change_seq == stored.change_seq]
    name, position = (stored.raw_file or "").rsplit("/", 1)[-1], stored.change_seq.rsplit(".", 1)[-1]
    kept_aside = [
        version
        for version in versions
        if version.is_kept_aside and version.file.endswith(f"-{name}") and version.position == int(position)
    ]
    return next(iter([*exact, *kept_aside]), None)


def _aside(version: Version, circumstances: Circumstances) -> str | None:
    """Why a version has no say about the record, or none yet."""
    if version.is_kept_aside:
        return "superseded: a corrected file took its file's place"
    if reasons := circumstances.quarantined.get((version.file, version.position)):
        return f"in quarantine: {'; '.join(reasons)}"
    if version.file in circumstances.pending:
        return "pending: the next run takes it in"
    if version.system is SourceSystem.DATABASE and circumstances.generation == 0:
        return "waiting: no complete load is there yet"
    return None


@dataclass(frozen=True, kw_only=True)
class _Fate:
    """One version among those that have a say about its record."""

    version: Version
    newer: Sequence[Version]
    stored: StoredRow | None
    current: Version | None
    """The version that the lake has."""
    circumstances: Circumstances

    def told(self) -> str:
        if self.version is self.current:
            return "in the lake: its current row"
        return self._overtaken() or self._settled() or self._open()

    @property
    def _is_exported(self) -> bool:
        return self.version.system is SourceSystem.CSV

    def _overtaken(self) -> str | None:
        if any(_is_same_change(self.version, other) for other in self.newer):
            return "duplicate: the same change was delivered again"
        if self._is_exported and self.circumstances.newest_delivery not in (None, self.version.file):
            return "superseded: a later delivery replaced the order's lines"
        if self.newer and (self.current is None or self.current in self.newer):
            return "superseded by a later version"
        return None

    def _settled(self) -> str | None:
        contract = self.circumstances.contract
        if self._is_exported and self.current and not _changed(self.version, self.current, contract):
            return "unchanged: it says what the lake has"
        if self.newer:
            return "superseded by a later version"
        return "applied: the record is deleted" if self.stored is None and self.version.operation == "delete" else None

    def _open(self) -> str:
        """Of a newest version that the lake does not have."""
        generation = self.circumstances.generation
        started = (self.version.change_seq or "")[:GENERATION_DIGITS]
        if not self._is_exported and self.stored is None and started < generation_text(generation):
            return f"superseded by load {generation}, which does not hold it"
        table = self.circumstances.contract.name
        if self._is_exported and self.stored is not None:
            return f"not the stored row: `autocorp audit {self.version.file}` counts what became of its file's rows"
        return f"NOT IN THE LAKE: `autocorp reconcile {table}` compares it, `autocorp replay {table}` judges again"


def _is_same_change(version: Version, other: Version) -> bool:
    """A change of the database that came in two files has one sequence; all that differs is its place."""
    if version.system is not SourceSystem.DATABASE or "load" in (version.operation, other.operation):
        return False
    return (version.change_seq or "").split(".")[:2] == (other.change_seq or "").split(".")[:2]


def _changed(version: Version, before: Version | None, contract: TableContract) -> tuple[str, ...]:
    if before is None or before.operation == "delete":
        return tuple(name for name, value in version.values.items() if value is not None)
    if version.operation == "delete":
        return ()
    return tuple(
        name
        for name, value in version.values.items()
        if name not in before.unchanged
        and not is_same(contract.column_by_name.get(name), value, before.values.get(name))
    )
