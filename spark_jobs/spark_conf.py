"""The Spark configuration that the lake's tables need, wherever Spark runs.

Locally it is joined by what the machine adds (autocorp_assets/local/spark_runtime.py), on AWS it travels in
the Glue job's `--conf` argument. Plain data without pyspark, so that Dagster and CDK can read it.
"""

from __future__ import annotations

from types import MappingProxyType

LAKE_SPARK_CONF = MappingProxyType(
    {
        "spark.sql.extensions": ",".join(
            (
                "io.delta.sql.DeltaSparkSessionExtension",
                "org.apache.spark.sql.hudi.HoodieSparkSessionExtension",
            )
        ),
        # Hudi's tables are read and written by path; the catalog has to know Delta's only.
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.kryo.registrator": "org.apache.spark.HoodieSparkKryoRegistrar",
        "spark.sql.session.timeZone": "UTC",
        # One type of time: naive Parquet timestamps, which pyarrow and polars write, are UTC as well.
        "spark.sql.parquet.inferTimestampNTZ.enabled": "false",
        # PostgreSQL's names are case-sensitive: a file may have columns `Note` and `note`.
        "spark.sql.caseSensitive": "true",
        # The default, INT96, is deprecated and has no statistics.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # Days before 1582 and times before 1900 are what they are: by default Spark fails, since its version 2 meant
        # other days by them.
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        # The Delta tables are small: the default of 50 tasks for their log doubled the time of a commit.
        "spark.databricks.delta.snapshotPartitions": "1",
    }
)
