"""A table that is being made anew: what its batches commit is kept together, to be committed as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import SourceSystem
from spark_jobs import columns as c
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.lake_tables.table import Committed


@dataclass
class GatheredTable:
    """LakeTable: empty for every batch, as each source system writes rows of its own."""

    kept: Mapping[str, str]
    """Columns that the table has whatever its contract says, and their types."""
    batches: list[DataFrame] = field(default_factory=list)
    upserted: int = 0

    def recover(self) -> None:
        """Nothing is stored."""

    def newest_commit(self) -> str | None:
        return None

    def columns(self) -> dict[str, str]:
        return {**self.kept, **{name: of for batch in self.batches for name, of in batch.dtypes}}

    def all_rows(self) -> DataFrame:
        """Raises ValueError: no batch has come."""
        if not self.batches:
            message = "nothing was gathered"
            raise ValueError(message)
        return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), self.batches)

    def stored(self, system: SourceSystem) -> DataFrame:
        message = f"nothing of {system} is stored in a table that is made anew"
        raise ValueError(message)

    def replace_all(self, rows: DataFrame, checkpoint: Checkpoint) -> Committed:
        message = (
            f"{len(rows.columns)} columns for revision {checkpoint.revision}: a table that is made anew has no rows"
        )
        raise ValueError(message)

    def commit(self, rows: DataFrame, *, checkpoint: Checkpoint, into_empty: bool) -> Committed:
        if not into_empty:
            message = f"revision {checkpoint.revision} expects stored rows in a table that is made anew"
            raise ValueError(message)
        batch = rows.filter(~F.col(c.DELETED)).drop(c.DELETED)
        self.batches.append(batch)
        upserted = batch.count()
        self.upserted += upserted
        return Committed(commit="", upserted=upserted, deleted=0)
