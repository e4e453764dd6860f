"""Real Spark, Hudi and Delta at s3:// paths, started as Glue would, planned and followed by the curated asset."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.curated.tables import curated_tables
from autocorp_assets.deployments.query import deployment_query
from autocorp_assets.lake.snapshots import read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.glue_job import GlueJobRunner
from autocorp_assets.resources.local_catalog import LocalCatalog
from autocorp_assets.resources.ports import ReplicationState
from autocorp_assets.settings import Settings
from autocorp_assets.table_metadata import DATABASE_NAME
from autocorp_assets_tests.fakes.glue import glue_jobs
from autocorp_assets_tests.fakes.server import FakeAws
from autocorp_assets_tests.fakes.spark_on_s3 import spark_on_s3
from autocorp_assets_tests.resources.aws.glue_platform import keys, make_job, upload
from autocorp_assets_tests.spark_jobs.raw_zone import Change, RawZone

# Not `spark`: that is the shared session of the suite, and these jobs start JVMs of their own.
pytestmark = [pytest.mark.aws, pytest.mark.e2e]

FEED_HEADER = "first_name,last_name,email,phone,address,city,state,zip"


class Following:
    """As the replication resource, of which the run only asks the state."""

    def state(self) -> ReplicationState:
        return ReplicationState(running=True, should_run=True, summary="lag 1 s", silent_seconds=1, is_following=True)


def curate(settings: Settings, tables: Sequence[str]) -> dict[str, dict[str, object]]:
    """Metadata by table of one run of the asset."""
    runner = GlueJobRunner(settings=settings, deadline_seconds=300, poll_seconds=0.2)
    result = dg.materialize(
        [curated_tables({name: TABLES[name] for name in tables}, condition=dg.AutomationCondition.eager())],
        resources={
            "lake": LakeStorage(settings.lake),
            "job_runner": runner,
            "query": deployment_query(settings),
            "replication": Following(),
            "catalog": LocalCatalog(lake=settings.lake),
        },
    )
    events = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    return {event.asset_key.path[-1]: {name: v.value for name, v in event.metadata.items()} for event in events}


def rows(settings: Settings, table: str, column: str) -> dict[object, object]:
    contract = TABLES[table]
    snapshot = read_snapshot(settings.lake, contract)
    assert snapshot is not None
    frame = pl.concat([pl.read_parquet(file, columns=[contract.record_key, column]) for file in snapshot.files])
    return dict(frame.iter_rows())


def test_hudi_and_delta_tables_are_curated_at_s3_paths(aws: FakeAws, aws_settings: Settings, tmp_path: Path):
    make_job(aws_settings)
    glue_jobs.environment = spark_on_s3(aws_settings, aws)
    raw = RawZone(tmp_path / "lake")
    people = [
        {"customer_id": number, "first_name": "Ada", "last_name": f"L{number}", "email": f"a{number}@x.com"}
        for number in (1, 2)
    ]
    raw.load("customers", people, before=10)
    raw.load("auto_parts", [{"sku": "A-1", "name": "Pad"}, {"sku": "A-2", "name": "Oil"}], generation=2, before=10)
    raw.csv("customers", "20241121", f"{FEED_HEADER}\nEve,F,eve@x.com,,,,,\nBad,Row,,,,,,\n")
    upload(raw.lake, aws_settings)

    first = curate(aws_settings, ["customers", "auto_parts"])

    assert rows(aws_settings, "auto_parts", "name") == {"A-1": "Pad", "A-2": "Oil"}
    assert set(rows(aws_settings, "customers", "first_name").values()) == {"Ada", "Eve"}
    assert first["customers"]["rows_quarantined"] == 1
    assert str(first["customers"]["job_log"]).startswith("https://eu-central-1.console.aws.amazon.com/")
    assert len(keys(aws_settings, "processed/quarantine/customers", lambda key: key.endswith(".parquet"))) == 1
    assert keys(aws_settings, "processed/audit/customers") == ["00000001.jsonl", "00000002.jsonl"]

    grace = Change("U", 11, {**people[0], "first_name": "Grace"})
    raw.change_file("customers", [grace, Change("D", 12, people[1])], second=60)
    raw.change_file("auto_parts", [Change("U", 13, {"sku": "A-1", "name": "Disc"})], second=60)
    upload(raw.lake, aws_settings)

    second = curate(aws_settings, ["customers", "auto_parts"])

    assert rows(aws_settings, "auto_parts", "name") == {"A-1": "Disc", "A-2": "Oil"}
    assert sorted(map(str, rows(aws_settings, "customers", "first_name").values())) == ["Eve", "Grace"]
    assert (second["customers"]["rows_upserted"], second["customers"]["rows_deleted"]) == (1, 1)
    catalogued = client("glue").get_table(DatabaseName=DATABASE_NAME, Name="customers")["Table"]
    assert catalogued["StorageDescriptor"]["Location"] == f"{aws_settings.lake}/curated/hudi/customers"
