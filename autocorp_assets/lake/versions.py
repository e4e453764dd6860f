"""What a reader learns about one version of a curated table, whichever format holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from spark_jobs.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class CommitInfo:
    """One completed commit."""

    commit: str
    """Hudi's instant or Delta's version, as text."""
    committed_at: datetime
    """UTC. Hudi: when the commit began, which is what names it."""
    operation: str
    """In the format's own words, such as `UPSERT` or `MERGE`."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The newest commit of a table and what it remembers."""

    commit: str
    committed_at: datetime
    checkpoint: Checkpoint | None
    """Of the newest commit that carries one: a commit made by hand does not."""

    @property
    def revision(self) -> int:
        """Commits of the curation so far: what audit and quarantine say of a greater one was never committed."""
        return self.checkpoint.revision if self.checkpoint else 0


@dataclass(frozen=True, kw_only=True)
class Snapshot(Head):
    """One version of a table: its files are all of it, and stay for as long as old versions are kept."""

    table: str
    files: tuple[str, ...]
    """Parquet files, absolute paths or URLs."""
    file_sizes: tuple[int, ...] = field(repr=False)
    """Bytes, in the order of `files`."""
    columns: dict[str, str]
    """The table's own columns and their types by Spark SQL's names, without Hudi's `_hoodie_*`."""

    @property
    def bytes(self) -> int:
        return sum(self.file_sizes)

    @property
    def is_remote(self) -> bool:
        """Whether the files are behind URLs."""
        return any("://" in file for file in self.files[:1])


class TableNotReadable(ValueError):
    """The table is there, but reading its files would give wrong rows, or its history is no longer kept."""
