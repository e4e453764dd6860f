"""Loads the classes that a job loads: a session, and for each format a first write and a merge.

Run by autocorp_assets/local/class_archive.py; the argument is a folder to write to.
"""

from __future__ import annotations

import sys

from pyspark.sql import DataFrame, SparkSession


def main(folder: str) -> None:
    spark = SparkSession.builder.appName("autocorp class training").getOrCreate()
    csv = f"{folder}/rows.csv"
    spark.range(100).selectExpr("id", "'db' AS part", "current_timestamp() AS at").write.csv(csv, header=True)
    rows = spark.read.csv(csv, header=True, schema="id LONG, part STRING, at TIMESTAMP")
    parquet = f"{folder}/rows"
    rows.write.parquet(parquet)
    rows = spark.read.parquet(parquet).dropDuplicates(["id"])
    for operation in ("bulk_insert", "upsert"):
        _write_hudi(rows.limit(10), f"{folder}/hudi", operation)
    rows.write.format("delta").save(f"{folder}/delta")
    rows.limit(10).createOrReplaceTempView("changes")
    spark.sql(
        f"MERGE INTO delta.`{folder}/delta` t USING changes c ON t.id = c.id "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    spark.stop()


def _write_hudi(rows: DataFrame, path: str, operation: str) -> None:
    options = {
        "hoodie.table.name": "training",
        "hoodie.datasource.write.recordkey.field": "id",
        "hoodie.datasource.write.precombine.field": "at",
        "hoodie.datasource.write.partitionpath.field": "part",
        "hoodie.datasource.write.operation": operation,
        "hoodie.write.table.version": "6",
        "hoodie.write.auto.upgrade": "false",
        "hoodie.metadata.enable": "false",
        "hoodie.embed.timeline.server": "false",
    }
    rows.write.format("hudi").options(**options).mode("append").save(path)


if __name__ == "__main__":
    main(sys.argv[1])
