"""Small curated tables, written by the platform's own table formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import CHANGE_SEQ, PARTITION_MONTH, RECORD_KEY, SOURCE_SYSTEM, LakeFormat
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.columns import DELETED
from spark_jobs.lake_tables.delta import DeltaTable
from spark_jobs.lake_tables.hudi import HudiTable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Row = Mapping[str, Any]
NAME = "my [new] lake"
"""A folder that URLs write otherwise, and that is a pattern to a reader that globs."""


@dataclass
class LakeWriter:
    """Commits rows, given as the columns that matter; the rest is NULL or derived."""

    spark: SparkSession
    root: Path
    _sequence: Iterable[int] = field(default_factory=lambda: count(1))

    def commit(
        self, table: str, *rows: Row, deleted: tuple[Row, ...] = (), checkpoint: Checkpoint | None = None
    ) -> str:
        """Upserts and deletes in one commit, which is returned."""
        contract = TABLES[table]
        path = str(self.root / contract.lake_path)
        table_of = HudiTable if contract.format is LakeFormat.HUDI else DeltaTable
        target = table_of(self.spark.newSession(), contract, path)
        schema = ", ".join(f"`{column.name}` {column.type}" for column in contract.lake_columns)
        whole = [
            *(self._whole(table, row, is_deleted=False) for row in rows),
            *(self._whole(table, row, is_deleted=True) for row in deleted),
        ]
        frame = target.spark.createDataFrame(whole, f"{schema}, `{DELETED}` boolean")
        return target.commit(
            frame, checkpoint=checkpoint or Checkpoint(), into_empty=target.newest_commit() is None
        ).commit

    def _whole(self, table: str, row: Row, *, is_deleted: bool) -> dict[str, Any]:
        contract = TABLES[table]
        system = row.get(SOURCE_SYSTEM, "db")
        month = f"{row[contract.month_of]:%Y-%m}" if contract.month_of else None
        derived = {
            RECORD_KEY: f"{system}:{row.get(contract.primary_key)}",
            SOURCE_SYSTEM: system,
            PARTITION_MONTH: month,
            CHANGE_SEQ: f"{next(iter(self._sequence)):06d}",
            "changed_at": datetime(2024, 11, 21, tzinfo=UTC),
            "raw_file": f"raw/database/{table}/LOAD00000001.parquet",
            DELETED: is_deleted,
        }
        return {name: {**derived, **row}.get(name) for name in (*(c.name for c in contract.lake_columns), DELETED)}
