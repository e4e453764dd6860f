"""What the benchmarks of the job share: a data folder, a Spark session as local jobs have it, and a stopwatch."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.local.spark_runtime import prepare, spark_conf, spark_environment
from autocorp_assets.settings import Settings
from spark_jobs.curation import Curation

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def session() -> Generator[tuple[SparkSession, Settings]]:
    """A session, and the settings of a data folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        prepare(settings)
        os.environ.update(spark_environment(spark_conf(settings), Path(home)))

        from pyspark.sql import SparkSession

        spark = SparkSession.builder.appName("benchmark").getOrCreate()
        try:
            yield spark, settings
        finally:
            spark.stop()


def curate(spark: SparkSession, lake: Path, table: str) -> None:
    """What a run of the platform does to the table."""
    curation = Curation(
        spark=spark.newSession(),
        contract=TABLES[table],
        lake=str(lake),
        run_id="benchmark",
        announce=lambda _: None,
    )
    curation.run(LakeStorage(lake).pending_plans([table])[table])


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
