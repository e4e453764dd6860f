"""All rows of a table put in the place of those that it has, whatever they looked like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import LakeFormat, TableContract
from spark_jobs import columns as c
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.hadoop_files import HadoopFiles
from spark_jobs.lake_tables.table import Committed, LakeTable
from spark_jobs.table_shape import takes_types

REPLACED = "curated/replaced"
"""Where tables lie that had to be moved aside, below the lake's root: `<format>/<table>-<run id>`."""
_HUDI_TIMELINE = ".hoodie"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a table is, or is to be."""

    table: LakeTable
    contract: TableContract
    lake: str
    files: HadoopFiles

    def put(
        self, rows: DataFrame, checkpoint: Checkpoint, *, run_id: str, announce: Callable[[str], None]
    ) -> Committed:
        """One commit: readers see the table as it was, or as it is.

        Where Hudi cannot take the rows' types (it would keep the old ones and say nothing), the old table is moved
        aside as a whole, and its history with it. Until the commit there is no table then: whoever finds it so
        makes it from raw.

        Args:
            rows: all that the table shall hold.
            checkpoint: of the commit.
            run_id: names what is moved aside.
            announce: takes one line for the operator.
        """
        stored = self.table.columns()
        if self._is_remnant() or not takes_types(self.contract.format, stored, dict(rows.dtypes)):
            aside = f"{REPLACED}/{self.contract.format}/{self.contract.name}-{run_id}"
            self.files.move(f"{self.lake}/{self.contract.lake_path}", f"{self.lake}/{aside}")
            announce(
                f"{self.contract.name}: what was stored cannot become what the contract says, so that the table's "
                f"history begins anew; the old table is in {aside}"
            )
            stored = {}
        if not stored:
            return self.table.commit(rows.withColumn(c.DELETED, F.lit(False)), checkpoint=checkpoint, into_empty=True)
        return self.table.replace_all(rows, checkpoint)

    def _is_remnant(self) -> bool:
        """Whether there are data files of Hudi and no timeline: it would take them for the table's."""
        names = self.files.names(f"{self.lake}/{self.contract.lake_path}")
        return self.contract.format is LakeFormat.HUDI and bool(names) and _HUDI_TIMELINE not in names
