"""What the curation needs of a table, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import DataFrame

from autocorp_assets.contracts.model import SourceSystem
from spark_jobs.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class Committed:
    """What a commit says of itself."""

    commit: str
    """Hudi instant or Delta version."""
    upserted: int
    deleted: int


class LakeTable(Protocol):
    """A curated table at a path."""

    def recover(self) -> None:
        """Take away what a crash has left half-written, so that the table can be read and written again."""
        ...

    def newest_commit(self) -> str | None:
        """The newest completed commit; None while the table does not exist."""
        ...

    def stored(self, system: SourceSystem) -> DataFrame:
        """The rows of one source system. The table must exist."""
        ...

    def commit(self, rows: DataFrame, *, checkpoint: Checkpoint, into_empty: bool) -> Committed:
        """Applies upserts and deletes (column `_deleted`) and the checkpoint in one commit.

        Args:
            rows: the contract's lake columns and `_deleted`; one row a record and partition.
            checkpoint: stored in the commit, also when there is no row.
            into_empty: the caller knows that nothing of this source system is stored yet.
        """
        ...
