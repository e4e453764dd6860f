"""A small lake, and the curation of one of its tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.spark_jobs.raw_zone import RawZone
from spark_jobs.curation import Curation, TableReport
from spark_jobs.plan import TablePlan

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Lake:
    """A lake whose tables are curated as the platform does it: plan from listings, then the job."""

    root: Path
    spark: SparkSession

    @property
    def raw(self) -> RawZone:
        return RawZone(self.root)

    def plan(self, table: str) -> TablePlan:
        return LakeStorage(self.root).pending_plans([table])[table]

    def curate(
        self,
        table: str,
        plan: TablePlan | None = None,
        contract: TableContract | None = None,
        announce: Callable[[str], None] = lambda _: None,
    ) -> TableReport:
        """One run of the job; `contract` is one that has been changed since, `announce` hears how it goes on."""
        curation = Curation(
            spark=self.spark.newSession(),
            contract=contract or TABLES[table],
            lake=str(self.root),
            run_id="run",
            announce=announce,
        )
        return curation.run(plan or self.plan(table))

    def rows(self, table: str, *columns: str) -> dict[str, Any]:
        """Stored rows by record key: the column's value, or a tuple of several."""
        contract = TABLES[table]
        frame = self.spark.read.format(str(contract.format)).load(str(self.root / contract.lake_path))
        found = frame.select(contract.record_key, *columns).collect()
        assert len(found) == len({row[0] for row in found}), "a record is stored twice"
        return {row[0]: row[1] if len(columns) == 1 else tuple(row[1:]) for row in found}
