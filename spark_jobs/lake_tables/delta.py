"""Delta Lake, without deletion vectors: what Athena and file-list readers read."""

from __future__ import annotations

from dataclasses import dataclass

from delta.tables import DeltaTable as Delta
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import CHANGE_SEQ, SourceSystem, TableContract
from spark_jobs import columns as c
from spark_jobs.checkpoint import Checkpoint, delta_user_metadata
from spark_jobs.lake_tables.table import Committed, in_shape

_SKIP_EMPTY = "spark.databricks.delta.skipRecordingEmptyCommits"
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class DeltaTable:
    """A Delta table of one contract. Its session must be its own: MERGE takes metadata from the session."""

    spark: SparkSession
    contract: TableContract
    path: str

    def recover(self) -> None:
        """Nothing: entries of Delta's log are put in place whole, and files that none names do not count."""

    def newest_commit(self) -> str | None:
        if not Delta.isDeltaTable(self.spark, self.path):
            return None
        return str(self._newest()["version"])

    def stored(self, system: SourceSystem) -> DataFrame:
        """All rows: a table that one source system feeds has no column that names it."""
        if self.contract.has_two_systems:
            message = f"{self.contract.name}: a Delta table has one source system, not {system}"
            raise ValueError(message)
        return in_shape(self.all_rows(), self.contract.lake_columns)

    def columns(self) -> dict[str, str]:
        return dict(self.all_rows().dtypes) if Delta.isDeltaTable(self.spark, self.path) else {}

    def all_rows(self) -> DataFrame:
        return self.spark.read.format("delta").load(self.path)

    def replace_all(self, rows: DataFrame, checkpoint: Checkpoint) -> Committed:
        user_metadata = delta_user_metadata(checkpoint)
        self.spark.conf.set(_USER_METADATA, user_metadata)
        rows.write.format("delta").mode("overwrite").option("overwriteSchema", value=True).save(self.path)
        return self._committed(user_metadata)

    def commit(self, rows: DataFrame, *, checkpoint: Checkpoint, into_empty: bool) -> Committed:
        lake = [column.name for column in self.contract.lake_columns]
        user_metadata = delta_user_metadata(checkpoint)
        self.spark.conf.set(_USER_METADATA, user_metadata)
        # A MERGE that changes no row has to move the checkpoint all the same.
        self.spark.conf.set(_SKIP_EMPTY, value=False)
        if into_empty and self.newest_commit() is None:
            self._create(rows.filter(~F.col(c.DELETED)).select(*lake))
        else:
            self._merge(rows.select(*lake, c.DELETED))
        return self._committed(user_metadata)

    def _create(self, rows: DataFrame) -> None:
        (
            rows.write.format("delta")
            .option("delta.enableDeletionVectors", value=False)
            .option("delta.logRetentionDuration", "interval 30 days")
            .option("delta.deletedFileRetentionDuration", "interval 30 days")
            .mode("errorifexists")
            .save(self.path)
        )

    def _merge(self, rows: DataFrame) -> None:
        key = self.contract.record_key
        is_newer = f"source.{CHANGE_SEQ} >= target.{CHANGE_SEQ}"
        lake = {column.name: f"source.`{column.name}`" for column in self.contract.lake_columns}
        merge = self._table().alias("target").merge(rows.alias("source"), f"target.`{key}` = source.`{key}`")
        if not lake.keys() <= self.columns().keys():
            # Adds the columns that the actions name, and no others of the source, in the same commit.
            merge = merge.withSchemaEvolution()
        (
            merge.whenMatchedDelete(f"source.{c.DELETED} AND {is_newer}")
            .whenMatchedUpdate(is_newer, lake)
            .whenNotMatchedInsert(f"NOT source.{c.DELETED}", lake)
            .execute()
        )

    def _committed(self, user_metadata: str) -> Committed:
        newest = self._newest()
        if newest["userMetadata"] != user_metadata:
            message = f"{self.contract.name}: Delta version {newest['version']} carries another checkpoint"
            raise RuntimeError(message)
        metrics = newest["operationMetrics"]
        is_merge = newest["operation"] == "MERGE"
        upserted = ("numTargetRowsInserted", "numTargetRowsUpdated") if is_merge else ("numOutputRows",)
        return Committed(
            commit=str(newest["version"]),
            upserted=sum(int(metrics.get(name, 0)) for name in upserted),
            deleted=int(metrics.get("numTargetRowsDeleted", 0)),
        )

    def _newest(self) -> Row:
        return self._table().history(1).head()

    def _table(self) -> Delta:
        return Delta.forPath(self.spark, self.path)
