"""The aws deployment from end to end: the same graph, driven through boto3 against the stand-in for AWS.

The fake DMS is fed by the real replicator from the embedded PostgreSQL, DataSync copies real exports, Glue runs the
real job with real Spark, Hudi and Delta; raw, curated and processed zones are objects that all reach over HTTP.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.snapshots import read_snapshot
from autocorp_assets.local.generator.traffic import simulate
from autocorp_assets.reconciliation.database import compare_table
from autocorp_assets.resources.aws.permissions import Account, permissions
from autocorp_assets.settings import Settings
from autocorp_assets_tests.e2e.aws_platform import aws_platform
from autocorp_assets_tests.fakes.faults import SLOW, THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import ACCOUNT, REGION, FakeAws
from autocorp_assets_tests.resources.aws.glue_platform import keys

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.aws, pytest.mark.timeout(600)]

SERVICES = ("dms", "datasync", "glue", "monitoring")
"""As the signatures name them."""


def test_both_deployments_leave_the_same_tables(aws: FakeAws, aws_settings: Settings, tmp_path: Path):
    with aws_platform(aws, aws_settings, tmp_path) as platform:
        examined = platform.deployed.run("doctor")
        assert examined.returncode == 0, examined.stdout
        aws.faults.clear()
        for service in SERVICES:
            aws.faults.add(service, THROTTLED, UNAVAILABLE, SLOW)

        loaded = platform.deployed.sync()

        assert loaded["ok"], loaded
        simulate(platform.dsn, orders=15, seed=1)
        platform.stream.fail_over()
        simulate(platform.dsn, orders=15, seed=2)

        changed = platform.deployed.sync()

        assert changed["ok"], changed
        assert {table["table"] for table in changed["tables"] if table["rows_applied"]} == set(TABLES)
        published = platform.deployed.run("deploy")
        assert published.returncode == 0, published.stdout + published.stderr
        count = "SELECT count(*) AS parts FROM service_parts"
        assert platform.deployed.query(count) == platform.deployed.query(count, "--as-of", "now")
        assert asked_of_aws(aws) <= permitted(aws_settings)
        found = {
            name: compare_table(platform.dsn, str(aws_settings.lake), table).count for name, table in TABLES.items()
        }
        assert found == dict.fromkeys(TABLES, 0)
        assert keys(aws_settings, "processed/quarantine", lambda key: key.endswith(".parquet"))
        assert {key.split("/")[0] for key in keys(aws_settings, "processed/audit")} == set(TABLES)
        compared = platform.local.sync()
        assert compared["ok"], compared
    for contract in TABLES.values():
        expected = rows(platform.local.settings.lake_folder, contract)
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


def rows(root: Path | str, contract: TableContract) -> pl.DataFrame:
    """The table as analysts have it, in the order of its keys. Lineage differs: it names files and positions of raw."""
    snapshot = read_snapshot(root, contract)
    assert snapshot is not None
    names = list(dict.fromkeys([contract.record_key, *(column.name for column in contract.columns)]))
    return pl.concat([pl.read_parquet(file, columns=names) for file in snapshot.files]).sort(contract.record_key)
