"""The aws deployment with everything behind it: a source, the stand-in for AWS, and the command line as a process."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from autocorp_assets.contracts import FEEDS
from autocorp_assets.contracts.sales_order import BUSINESS_BEGAN
from autocorp_assets.local.generator.dirt import USUAL_RATES
from autocorp_assets.local.generator.exports import write_customers, write_sales_orders
from autocorp_assets.local.source.connection import open_source
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.dms_settings import without_full_identity
from autocorp_assets.settings import Settings
from autocorp_assets_tests.e2e.data_folder import DataFolder
from autocorp_assets_tests.fakes.account import EXPORTS_BUCKET, build_account, source_secret
from autocorp_assets_tests.fakes.athena import athena_queries
from autocorp_assets_tests.fakes.datasync import controls
from autocorp_assets_tests.fakes.dms_feed import Feed, feed
from autocorp_assets_tests.fakes.glue import glue_jobs
from autocorp_assets_tests.fakes.server import FakeAws
from autocorp_assets_tests.fakes.spark_on_s3 import spark_on_s3

DAY = date.fromisoformat(BUSINESS_BEGAN) + timedelta(days=50)
"""Of the exports: its orders are of two months, each a partition that costs dozens of requests in each pass."""
CUSTOMERS = 200
ORDERS = 100
SYNC_SECONDS = 240


@dataclass(frozen=True)
class AwsFolder(DataFolder):
    """The Dagster home of the aws deployment: on this machine there is nothing else of it."""

    deployment: Settings

    @property
    def autocorp(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "autocorp_assets_tests.fakes.hurried_cli")

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "AUTOCORP_DEPLOYMENT": "aws", "AUTOCORP_AWS_LAKE": str(self.deployment.lake)}

    def sync(self) -> dict[str, Any]:
        ended = self.run("sync", "--json", timeout=SYNC_SECONDS)
        return json.loads(ended.stdout) if ended.stdout else {"ok": False, "stderr": ended.stderr}


@dataclass(frozen=True, kw_only=True)
class AwsPlatform:
    """Local and aws deployment side by side, on one source and with the same exports."""

    local: DataFolder
    deployed: AwsFolder
    dsn: str
    stream: Feed
    """What feeds the fake DMS."""


@contextmanager
def aws_platform(aws: FakeAws, settings: Settings, folder: Path) -> Generator[AwsPlatform]:
    """A good account with a source of some thousand rows and exports that wait; nothing has run yet."""
    local = DataFolder(folder / "home")
    landing = local.settings.landing_folder
    write_customers(landing, DAY, count=CUSTOMERS, seed=1, dirt=USUAL_RATES)
    write_sales_orders(landing, DAY, orders=ORDERS, seed=1, dirt=USUAL_RATES)
    glue_jobs.environment = spark_on_s3(settings, aws)
    with open_source(local.settings) as source:
        _identify_fully(source.dsn)
        _trade_for_two_months(source.dsn)
        account = build_account(settings, source=_secret_of(source.dsn))
        _deliver(landing)
        controls().phases_a_describe = 6
        athena_queries.lake = str(settings.lake)
        aws.faults.clear()
        with feed(account.task, dsn=source.dsn, folder=folder / "dms", slot="dms") as stream:
            deployed = AwsFolder(folder / "aws", settings)
            yield AwsPlatform(local=local, deployed=deployed, dsn=source.dsn, stream=stream)


def _identify_fully(dsn: str) -> None:
    """As doctor asks for: DMS cannot say that a large text was not changed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in without_full_identity(connection):
            connection.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(sql.Identifier(table)))


def _trade_for_two_months(dsn: str) -> None:
    """In place of four years, for the same reason as DAY."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "UPDATE sales_order SET order_date = %(began)s + (order_date - %(began)s) / 24",
            {"began": datetime.fromisoformat(BUSINESS_BEGAN)},
        )


def _secret_of(dsn: str) -> dict[str, object]:
    found = conninfo_to_dict(dsn)
    return source_secret(
        host=str(found["host"]),
        port=int(str(found["port"])),
        username=found["user"],
        password=Path(str(found["passfile"])).read_text(encoding="utf-8").strip().rsplit(":", 1)[1],
        dbname=found["dbname"],
    )


def _deliver(landing: Path) -> None:
    """The exports, where DataSync finds them."""
    for name, feed_contract in FEEDS.items():
        for path in landing.glob("*.csv"):
            if feed_contract.file_pattern().fullmatch(path.name):
                client("s3").upload_file(str(path), EXPORTS_BUCKET, f"{name}/{path.name}")
