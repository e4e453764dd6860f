"""The local Spark as Glue's: it reads and writes `s3://` paths on the fake through Hadoop's S3A."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autocorp_assets.local.spark_jars import fetch_jars
from autocorp_assets.local.spark_runtime import compiled_lightly, jar_folder, prepare, spark_conf, spark_environment
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.glue import Environment
from autocorp_assets_tests.fakes.s3a_jars import S3A_JARS
from autocorp_assets_tests.fakes.server import REGION, FakeAws
from spark_jobs.spark_conf import LAKE_SPARK_CONF


def spark_on_s3(settings: Settings, aws: FakeAws) -> Environment:
    """For `glue_jobs.environment`, so that scripts have Spark; fetches what this machine lacks.

    What the lake needs of Spark comes from the run's `--conf` alone, as in Glue.
    """
    prepare(settings)
    jars = fetch_jars(jar_folder(settings), repository=settings.maven_repository, jars=S3A_JARS)
    machine = {key: value for key, value in spark_conf(settings).items() if key not in LAKE_SPARK_CONF}

    def environment(scratch: Path, conf: Mapping[str, str]) -> Mapping[str, str]:
        spark = spark_environment(compiled_lightly({**machine, **conf, **s3a_conf(aws.url)}), scratch)
        # At the end of the class path: the archive of loaded classes fits a path that begins as its own.
        return {**spark, "SPARK_DIST_CLASSPATH": ":".join(map(str, jars))}

    return environment


def s3a_conf(url: str) -> dict[str, str]:
    s3a = {
        "endpoint": url,
        "endpoint.region": REGION,
        "path.style.access": "true",
        "connection.ssl.enabled": "false",
        # The default of newer Hadoops; otherwise each object that is written has its folders' markers deleted.
        "directory.marker.retention": "keep",
        "aws.credentials.provider": "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
    }
    return {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
        **{f"spark.hadoop.fs.s3a.{name}": value for name, value in s3a.items()},
    }
