"""A change of 100 rows of the database into tables that hold the whole exports too, and into tables that do not."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import RAW_DATABASE
from autocorp_assets.local.generator.exports import write_customers, write_sales_orders
from autocorp_assets.local.generator.seed import seed_database
from autocorp_assets.local.replicator.service import replicate
from autocorp_assets.local.source.postgres import EmbeddedPostgres
from autocorp_assets.local.transfer import transfer
from benchmarks.job import curate, seconds, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROUNDS = 3
CHANGES = {
    "customers": "UPDATE customers SET city = city || '.' WHERE customer_id <= 100",
    # A tenth of them moves to another month, and so to another partition.
    "sales_order": (
        "UPDATE sales_order SET status = status || '.', "
        "order_date = order_date - (CASE WHEN order_id <= 10 THEN interval '40 days' ELSE interval '0' END) "
        "WHERE order_id <= 100"
    ),
}
DAY = date(2024, 12, 31)


def follow(dsn: str, alone: Path, beside: Path, state: Path) -> None:
    """The source's changes into the raw zone of both lakes."""
    replicate(dsn=dsn, lake=alone, state=state, until_caught_up=True)
    shutil.copytree(alone / RAW_DATABASE, beside / RAW_DATABASE, dirs_exist_ok=True)


def export(landing: Path, lake: Path, customers: int, orders: int) -> None:
    """Exports of customers and orders, transferred to raw."""
    write_customers(landing, DAY, count=customers)
    write_sales_orders(landing, DAY, orders=orders)
    for table in CHANGES:
        if feed := TABLES[table].csv_feed:
            transfer(feed.name, landing=landing, lake=lake, settled_seconds=0)


def measure(spark: SparkSession, dsn: str, folder: Path, customers: int, orders: int) -> dict[str, dict[str, float]]:
    """Median seconds of a change by table, and their ratio."""
    alone, beside, state = folder / "alone", folder / "beside", folder / "state"
    seed_database(dsn)
    follow(dsn, alone, beside, state)
    export(folder / "landing", beside, customers, orders)
    for table in CHANGES:
        curate(spark, alone, table)
        curate(spark, beside, table)
    taken: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        with psycopg.connect(dsn) as connection:
            for statement in CHANGES.values():
                connection.execute(statement.encode())
        follow(dsn, alone, beside, state)
        for table in CHANGES:
            for name, lake in (("alone", alone), ("beside", beside)):
                one = seconds(lambda lake=lake, table=table: curate(spark, lake, table))
                taken.setdefault((table, name), []).append(one)
    medians = {key: statistics.median(values) for key, values in taken.items()}
    return {
        table: {
            "beside_exports_seconds": round(medians[table, "beside"], 2),
            "alone_seconds": round(medians[table, "alone"], 2),
            "ratio": round(medians[table, "beside"] / medians[table, "alone"], 2),
        }
        for table in CHANGES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_200_000)
    parser.add_argument("--orders", type=int, default=790_000)
    arguments = parser.parse_args()
    with session() as (spark, settings), tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(settings.home_folder / "source")
        server.start(guarded=True)
        try:
            figures = measure(spark, server.dsn, Path(folder), arguments.customers, arguments.orders)
        finally:
            server.stop()
    print(json.dumps(figures))  # noqa: T201 the result


if __name__ == "__main__":
    main()
