"""Apache Hudi, Copy-on-Write, table version 6: what Athena reads."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from autocorp_assets.contracts.model import CHANGE_SEQ, SOURCE_SYSTEM, SourceSystem, TableContract
from spark_jobs import columns as c
from spark_jobs.checkpoint import COMMIT_KEY, HUDI_METADATA_KEY, HUDI_PREFIX, Checkpoint
from spark_jobs.hadoop_files import HadoopFiles
from spark_jobs.lake_tables.catalog_sync import CATALOG_DATABASE, catalog_sync
from spark_jobs.lake_tables.table import Committed, in_shape

IS_DELETED = "_hoodie_is_deleted"
"""Hudi removes the record of an upserted row in which this is true."""
META_PREFIX = "_hoodie_"
"""Of the columns that Hudi adds."""
HISTORY_HOURS = 30 * 24
_COMMIT_FILE = re.compile(r"\d+\.(commit|replacecommit)")
_PROPERTIES, _TABLE_NAME = "hoodie.properties", "hoodie.table.name="


@dataclass(frozen=True)
class HudiTable:
    """A Hudi table of one contract."""

    spark: SparkSession
    contract: TableContract
    path: str

    def recover(self) -> None:
        """On a local disk Hudi writes its own files in place, and a crash may leave one empty or cut off.

        A commit whose file is not whole counts for nothing: without that file Hudi rolls its rows back with
        the next write. A table whose properties are not whole has no rows yet.
        """
        files, folder = HadoopFiles(self.spark), f"{self.path}/.hoodie"
        names = files.names(folder)
        newest = max((name for name in names if _COMMIT_FILE.fullmatch(name)), default=None)
        if newest is not None and not _is_json(files.text(f"{folder}/{newest}")):
            files.delete(f"{folder}/{newest}")
        elif (
            newest is None and _PROPERTIES in names and _TABLE_NAME not in (files.text(f"{folder}/{_PROPERTIES}") or "")
        ):
            files.delete(folder)

    def newest_commit(self) -> str | None:
        instant = self._newest_instant()
        return None if instant is None else str(instant.requestedTime())

    def columns(self) -> dict[str, str]:
        meta = self._meta_client()
        if meta is None or not meta.getCommitsTimeline().filterCompletedInstants().lastInstant().isPresent():
            return {}
        jvm: Any = self.spark.sparkContext._jvm
        avro = jvm.org.apache.hudi.common.table.TableSchemaResolver(meta).getTableAvroSchema(False)
        fields = StructType.fromJson(
            json.loads(jvm.org.apache.hudi.AvroConversionUtils.convertAvroSchemaToStructType(avro).json())
        )
        return {field.name: field.dataType.simpleString() for field in fields if not field.name.startswith(META_PREFIX)}

    def all_rows(self) -> DataFrame:
        rows = self.spark.read.format("hudi").load(self.path)
        return rows.select(*(name for name in rows.columns if not name.startswith(META_PREFIX)))

    def stored(self, system: SourceSystem) -> DataFrame:
        return in_shape(self.all_rows(), self.contract.lake_columns).filter(F.col(SOURCE_SYSTEM) == str(system))

    def replace_all(self, rows: DataFrame, checkpoint: Checkpoint) -> Committed:
        rows = rows.withColumn(IS_DELETED, F.lit(False))
        return self._write(rows, "insert_overwrite_table", checkpoint)

    def commit(self, rows: DataFrame, *, checkpoint: Checkpoint, into_empty: bool) -> Committed:
        is_deleted = F.col(c.DELETED).alias(IS_DELETED)
        rows = rows.select(*(column.name for column in self.contract.lake_columns), is_deleted)
        return self._write(rows, "bulk_insert" if into_empty else "upsert", checkpoint)

    def _write(self, rows: DataFrame, operation: str, checkpoint: Checkpoint) -> Committed:
        before = self.newest_commit()
        (
            rows.write.format("hudi")
            .options(**self._options(operation))
            .option(f"{HUDI_PREFIX}{COMMIT_KEY}", checkpoint.to_json())
            .mode("append")
            .save(self.path)
        )
        instant = self._newest_instant()
        if instant is None or str(instant.requestedTime()) == before:
            message = f"{self.contract.name}: Hudi reported success but made no commit"
            raise RuntimeError(message)
        return self._committed(instant)

    def _options(self, operation: str) -> dict[str, str]:
        contract = self.contract
        partitions = ",".join(f"{name}:SIMPLE" for name in contract.partition_columns)
        return {
            "hoodie.table.name": contract.name,
            "hoodie.datasource.write.operation": operation,
            "hoodie.datasource.write.table.type": "COPY_ON_WRITE",
            "hoodie.write.table.version": "6",
            "hoodie.write.auto.upgrade": "false",
            "hoodie.datasource.write.recordkey.field": contract.record_key,
            "hoodie.datasource.write.partitionpath.field": partitions,
            "hoodie.datasource.write.keygenerator.class": "org.apache.hudi.keygen.CustomKeyGenerator",
            "hoodie.datasource.write.hive_style_partitioning": "true",
            "hoodie.datasource.write.precombine.field": CHANGE_SEQ,
            # Set explicitly: hoodie.record.merge.mode has no effect at table version 6, and the default
            # payload lets late older rows win.
            "hoodie.datasource.write.payload.class": "org.apache.hudi.common.model.DefaultHoodieRecordPayload",
            "hoodie.datasource.write.commitmeta.key.prefix": HUDI_PREFIX,
            # The index looks into the partition that the row names: moves between months are ours.
            "hoodie.index.type": "SIMPLE",
            "hoodie.combine.before.insert": "false",
            "hoodie.combine.before.upsert": "false",
            "hoodie.bulkinsert.sort.mode": "NONE",
            "hoodie.metadata.enable": "false",
            "hoodie.metadata.index.column.stats.enable": "false",
            "hoodie.embed.timeline.server": "false",
            "hoodie.parquet.compression.codec": "snappy",
            "hoodie.cleaner.policy": "KEEP_LATEST_BY_HOURS",
            "hoodie.cleaner.hours.retained": str(HISTORY_HOURS),
            "hoodie.clean.max.commits": "100",
            "hoodie.keep.min.commits": "1000",
            "hoodie.keep.max.commits": "1100",
            **self._parallelism(),
            **catalog_sync(contract, self.spark.conf.get(CATALOG_DATABASE, None)),
        }

    def _parallelism(self) -> dict[str, str]:
        slots = str(max(2, self.spark.sparkContext.defaultParallelism))
        names = ("insert", "upsert", "bulkinsert", "delete", "simple.index")
        keys = [f"hoodie.{name}.shuffle.parallelism" for name in names[:4]] + ["hoodie.simple.index.parallelism"]
        return dict.fromkeys(keys, slots)

    def _newest_instant(self) -> Any | None:
        meta = self._meta_client()
        if meta is None:
            return None
        completed = meta.getCommitsTimeline().filterCompletedInstants()
        return completed.lastInstant().get() if completed.lastInstant().isPresent() else None

    def _meta_client(self) -> Any | None:
        jvm: Any = self.spark.sparkContext._jvm
        configuration: Any = self.spark.sparkContext._jsc.hadoopConfiguration()
        folder = jvm.org.apache.hadoop.fs.Path(f"{self.path}/.hoodie/hoodie.properties")
        if not folder.getFileSystem(configuration).exists(folder):
            return None
        storage = jvm.org.apache.hudi.storage.hadoop.HadoopStorageConfiguration(configuration)
        meta = jvm.org.apache.hudi.common.table.HoodieTableMetaClient.builder().setConf(storage).setBasePath(self.path)
        return meta.build()

    def _committed(self, instant: Any) -> Committed:
        jvm: Any = self.spark.sparkContext._jvm
        files = f"{self.path}/.hoodie/{instant.requestedTime()}.{instant.getAction()}"
        text = jvm.org.apache.hadoop.fs.Path(files)
        stream = text.getFileSystem(self.spark.sparkContext._jsc.hadoopConfiguration()).open(text)
        try:
            metadata = json.loads(jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()
        if HUDI_METADATA_KEY not in metadata["extraMetadata"]:
            message = f"{self.contract.name}: commit {instant.requestedTime()} carries no checkpoint"
            raise RuntimeError(message)
        stats = [stat for partition in metadata["partitionToWriteStats"].values() for stat in partition]
        return Committed(
            commit=str(instant.requestedTime()),
            upserted=sum(stat["numInserts"] + stat["numUpdateWrites"] for stat in stats),
            deleted=sum(stat["numDeletes"] for stat in stats),
        )


def _is_json(text: str | None) -> bool:
    try:
        json.loads(text or "")
    except ValueError:
        return False
    return True
