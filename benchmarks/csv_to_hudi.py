"""A customers export into Hudi, against plain Spark from CSV to Parquet in the same session."""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.contracts import FEEDS
from autocorp_assets.local.generator.exports import write_customers
from autocorp_assets.local.transfer import transfer
from autocorp_assets.settings import Settings
from benchmarks.job import curate, seconds, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "customers"
FEED = FEEDS["customers"].name


def deliver(settings: Settings, day: date, count: int) -> Path:
    """An export, transferred to raw."""
    path = write_customers(settings.landing_folder, day, count=count)
    transfer(FEED, landing=settings.landing_folder, lake=settings.lake_folder, settled_seconds=0)
    return path


def measure(spark: SparkSession, settings: Settings, count: int) -> dict[str, float]:
    """Seconds of each step, and its ratio to the peer."""
    export = deliver(settings, date(2024, 11, 21), count)

    def plain() -> None:
        rows = spark.read.option("header", value=True).csv(str(export))
        rows.write.mode("overwrite").parquet(str(settings.home_folder / "plain"))

    cold = seconds(plain)
    peer = min(seconds(plain) for _ in range(3))
    first = seconds(lambda: curate(spark, settings.lake_folder, TABLE))
    deliver(settings, date(2024, 12, 21), count)
    again = seconds(lambda: curate(spark, settings.lake_folder, TABLE))
    return {
        "rows": count,
        "plain_cold_seconds": cold,
        "plain_seconds": peer,
        "into_empty_seconds": first,
        "into_empty_ratio": first / peer,
        "same_again_seconds": again,
        "same_again_ratio": again / peer,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_200_000)
    arguments = parser.parse_args()
    with session() as (spark, settings):
        figures = measure(spark, settings, arguments.customers)
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))  # noqa: T201 the result


if __name__ == "__main__":
    main()
