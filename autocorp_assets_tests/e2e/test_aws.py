"""The aws deployment from end to end: the same graph, driven through boto3 against the stand-in for AWS.

The fake DMS is fed by the real replicator from the embedded PostgreSQL, DataSync copies real exports, Glue runs the
real job with real Spark, Hudi and Delta; raw, curated and processed zones are objects that all reach over HTTP.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from psycopg.conninfo import conninfo_to_dict

from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.snapshots import read_snapshot
from autocorp_assets.local.generator.dirt import USUAL_RATES
from autocorp_assets.local.generator.exports import write_customers, write_sales_orders
from autocorp_assets.local.generator.traffic import simulate
from autocorp_assets.local.source.connection import open_source
from autocorp_assets.reconciliation.database import compare_table
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.permissions import Account, permissions
from autocorp_assets.settings import Settings
from autocorp_assets_tests.e2e.data_folder import DataFolder
from autocorp_assets_tests.fakes.account import EXPORTS_BUCKET, build_account, source_secret
from autocorp_assets_tests.fakes.datasync import controls
from autocorp_assets_tests.fakes.dms_feed import feed
from autocorp_assets_tests.fakes.faults import THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.glue import glue_jobs
from autocorp_assets_tests.fakes.server import ACCOUNT, REGION, FakeAws
from autocorp_assets_tests.fakes.spark_on_s3 import spark_on_s3

pytestmark = [pytest.mark.e2e, pytest.mark.aws, pytest.mark.timeout(480)]

DAY = date(2025, 1, 31)
SERVICES = ("dms", "datasync", "glue", "monitoring")
"""As the signatures name them."""


def test_both_deployments_leave_the_same_tables(aws: FakeAws, aws_settings: Settings, tmp_path: Path):
    local, deployed = DataFolder(tmp_path / "home"), AwsFolder(tmp_path / "aws", aws_settings)
    landing = local.settings.landing_folder
    write_customers(landing, DAY, count=200, seed=1, dirt=USUAL_RATES)
    write_sales_orders(landing, DAY, orders=100, seed=1, dirt=USUAL_RATES)
    glue_jobs.environment = spark_on_s3(aws_settings, aws)
    with open_source(local.settings) as source:
        account = build_account(aws_settings, source=secret_of(source.dsn))
        deliver(landing)
        aws.faults.clear()
        controls().phases_a_describe = 6
        with feed(account.task, dsn=source.dsn, folder=tmp_path / "dms") as stream:
            for service in SERVICES:
                aws.faults.add(service, THROTTLED, UNAVAILABLE)

            loaded = deployed.run("sync", "--json", timeout=240)

            assert loaded.returncode == 0, loaded.stderr
            simulate(source.dsn, orders=15, seed=1)
            stream.fail_over()
            simulate(source.dsn, orders=15, seed=2)

            changed = deployed.sync()

            assert changed["ok"], changed
            assert {table["table"] for table in changed["tables"] if table["rows_applied"]} == set(TABLES)
        assert asked_of_aws(aws) <= permitted(aws_settings)
        assert local.sync()["ok"]
        source_differences = {
            name: compare_table(source.dsn, str(aws_settings.lake), table).count for name, table in TABLES.items()
        }

    assert source_differences == dict.fromkeys(TABLES, 0)
    for contract in TABLES.values():
        expected = rows(local.settings.lake_folder, contract)
        assert expected.height > 0
        assert rows(aws_settings.lake, contract).equals(expected), contract.name


def asked_of_aws(aws: FakeAws) -> set[str]:
    """Actions by their IAM names; of S3 only HTTP's methods are known."""
    prefixes = {"monitoring": "cloudwatch"}
    asked = (name.split(":") for name in aws.faults.requests)
    return {f"{prefixes.get(service, service)}:{operation}" for service, operation in asked if service != "s3"}


def permitted(settings: Settings) -> set[str]:
    granted = permissions(settings.aws, Account(number=ACCOUNT, region=REGION))
    return {action for permission in granted for action in permission.actions}


@dataclass(frozen=True)
class AwsFolder(DataFolder):
    """The Dagster home of the aws deployment, where there is nothing else of it."""

    deployment: Settings

    @property
    def autocorp(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "autocorp_assets_tests.fakes.hurried_cli")

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "AUTOCORP_DEPLOYMENT": "aws", "AUTOCORP_AWS_LAKE": str(self.deployment.lake)}


def secret_of(dsn: str) -> dict[str, object]:
    found = conninfo_to_dict(dsn)
    return source_secret(
        host=str(found["host"]),
        port=int(str(found["port"])),
        username=found["user"],
        password=Path(str(found["passfile"])).read_text(encoding="utf-8").strip().rsplit(":", 1)[1],
        dbname=found["dbname"],
    )


def deliver(landing: Path) -> None:
    """The exports, where DataSync finds them."""
    for name, feed_contract in FEEDS.items():
        for path in landing.glob("*.csv"):
            if feed_contract.file_pattern().fullmatch(path.name):
                client("s3").upload_file(str(path), EXPORTS_BUCKET, f"{name}/{path.name}")


def rows(root: Path | str, contract: TableContract) -> pl.DataFrame:
    """The table as analysts have it, in the order of its keys. Lineage differs: it names files and positions of raw."""
    snapshot = read_snapshot(root, contract)
    assert snapshot is not None
    names = list(dict.fromkeys([contract.record_key, *(column.name for column in contract.columns)]))
    return pl.concat([pl.read_parquet(file, columns=names) for file in snapshot.files]).sort(contract.record_key)
