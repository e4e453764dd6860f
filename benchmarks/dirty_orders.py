"""A dirty sales_orders export into Hudi and quarantine, against plain Spark from CSV to Parquet in the same session."""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts import FEEDS
from autocorp_assets.local.generator.exports import write_sales_orders
from autocorp_assets.local.generator.landing import FileManifest
from autocorp_assets.local.transfer import transfer
from autocorp_assets.reconciliation.deliveries import Expected, account_differences, audited
from autocorp_assets.settings import Settings
from benchmarks.job import curate, seconds, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "sales_order"
FEED = FEEDS["sales_orders"].name
FIRST, AGAIN = date(2025, 1, 31), date(2025, 2, 28)
"""Days after the last order: the second export has the same orders, with dirt on other rows of them."""
OUTCOMES = ("read", "applied", "unchanged", "superseded", "duplicate", "quarantined")


def deliver(settings: Settings, day: date, orders: int) -> FileManifest:
    """An export with the usual dirt, transferred to raw."""
    told = write_sales_orders(settings.landing_folder, day, orders=orders)[FEED]
    transfer(FEED, landing=settings.landing_folder, lake=settings.lake_folder, settled_seconds=0)
    return told


def differences(told: FileManifest, lake: Path) -> list[str]:
    """Where the job's account is not what the generator counted."""
    expected = Expected(
        file=told.file,
        rows=told.rows,
        applied=told.applied,
        superseded=told.superseded,
        duplicate=told.duplicates,
        quarantined=sum(told.quarantined.values()),
    )
    return account_differences(FEED, [expected], lake)


def measure(spark: SparkSession, settings: Settings, orders: int) -> dict[str, Any]:
    """Seconds of each step, their ratio to the peer, and what became of the rows."""
    told = deliver(settings, FIRST, orders)

    def plain() -> None:
        rows = spark.read.option("header", value=True).csv(str(settings.landing_folder / told.file))
        rows.write.mode("overwrite").parquet(str(settings.home_folder / "plain"))

    cold = seconds(plain)
    peer = min(seconds(plain) for _ in range(3))
    first = seconds(lambda: curate(spark, settings.lake_folder, TABLE))
    account = audited(settings.lake_folder, FEED)[told.file]
    differing = differences(told, settings.lake_folder)
    repeated = deliver(settings, AGAIN, orders)
    again = seconds(lambda: curate(spark, settings.lake_folder, TABLE))
    account_again = audited(settings.lake_folder, FEED)[repeated.file]
    return {
        "rows": told.rows,
        "plain_cold_seconds": round(cold, 2),
        "plain_seconds": round(peer, 2),
        "into_empty_seconds": round(first, 2),
        "into_empty_rows_per_second": round(told.rows / first),
        "into_empty_ratio": round(first / peer, 2),
        "outcomes": {name: account[name] for name in OUTCOMES},
        "differences_from_generator": differing,
        "full_export_again_seconds": round(again, 2),
        "full_export_again_ratio": round(again / peer, 2),
        "full_export_again_outcomes": {name: account_again[name] for name in OUTCOMES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=790_000)
    arguments = parser.parse_args()
    with session() as (spark, settings):
        figures = measure(spark, settings, arguments.orders)
    print(json.dumps(figures))  # noqa: T201 the result


if __name__ == "__main__":
    main()
