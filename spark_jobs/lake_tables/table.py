"""What the curation needs of a table, whatever its format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import Column, SourceSystem
from spark_jobs.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class Committed:
    """What a commit says of itself."""

    commit: str
    """Hudi instant or Delta version."""
    upserted: int
    deleted: int


class LakeTable(Protocol):
    """A curated table at a path, in the shape of its contract (`lake_columns`)."""

    def recover(self) -> None:
        """Take away what a crash has left half-written, so that the table can be read and written again."""
        ...

    def newest_commit(self) -> str | None:
        """The newest completed commit; None while the table does not exist."""
        ...

    def columns(self) -> dict[str, str]:
        """The table's own columns and their types by Spark SQL's names; empty while it does not exist."""
        ...

    def all_rows(self) -> DataFrame:
        """All rows with the columns that they have. The table must exist."""
        ...

    def stored(self, system: SourceSystem) -> DataFrame:
        """The rows of one source system in the contract's shape. The table must exist."""
        ...

    def replace_all(self, rows: DataFrame, checkpoint: Checkpoint) -> Committed:
        """Puts these rows, which may have other types, in the place of all in one commit."""
        ...

    def commit(self, rows: DataFrame, *, checkpoint: Checkpoint, into_empty: bool) -> Committed:
        """Applies upserts and deletes (column `_deleted`) and the checkpoint in one commit.

        Args:
            rows: the contract's lake columns and `_deleted`; one row a record and partition.
            checkpoint: stored in the commit, also when there is no row.
            into_empty: the caller knows that nothing of this source system is stored yet.
        """
        ...


def in_shape(rows: DataFrame, columns: Iterable[Column]) -> DataFrame:
    """The rows with exactly these columns; those that the stored table does not have yet are NULL."""
    present = set(rows.columns)
    return rows.select(
        *(
            F.col(column.name) if column.name in present else F.lit(None).cast(column.type).alias(column.name)
            for column in columns
        )
    )
