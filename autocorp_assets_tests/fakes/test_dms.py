"""The stand-in for DMS: the rules that AWS documents, and the names of moto's that it replaces."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import moto.dms.responses
import psycopg
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from moto.dms.models import DatabaseMigrationServiceBackend, FakeReplicationTask
from moto.dms.responses import DatabaseMigrationServiceResponse

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import EXTENSION, SEQUENCE
from autocorp_assets.local.generator.seed import seed_database
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.dms_replication import DmsReplication
from autocorp_assets_tests.fakes import dms
from autocorp_assets_tests.fakes.dms import DMS, Task
from autocorp_assets_tests.fakes.dms_feed import feed
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

LAKE = f"s3://{LAKE_BUCKET}/lake"


@pytest.fixture
def task(aws: FakeAws) -> Task:
    return DMS.create("autocorp", lake=LAKE)


def status() -> str:
    filters = [{"Name": "replication-task-id", "Values": ["autocorp"]}]
    return client("dms").describe_replication_tasks(Filters=filters)["ReplicationTasks"][0]["Status"]


def start(task: Task, how: str) -> None:
    client("dms").start_replication_task(ReplicationTaskArn=task.arn, StartReplicationTaskType=how)


def test_every_name_of_moto_that_is_replaced_still_exists(aws: FakeAws):
    original = vars(DatabaseMigrationServiceResponse)
    assert all(name in original for name in (*dms.PATCHED, *dms.ADDED))
    assert all(hasattr(DatabaseMigrationServiceBackend("eu-central-1", "1"), name) for name in dms.BACKEND_NAMES)
    assert dms._moto_init.__qualname__ == "FakeReplicationTask.__init__"
    assert {"arn", "table_mappings", "target_endpoint_arn", "replication_instance_arn"} <= vars(
        FakeReplicationTask("t", "cdc", "i", "s", "t", "{}", "{}", "1", "eu-central-1")
    ).keys()


def test_what_is_added_is_what_moto_lacks():
    """When moto learns one of these, its own may be better: look at it."""
    text = Path(moto.dms.responses.__file__).read_text(encoding="utf-8")

    assert not [name for name in dms.ADDED if f"def {name}(" in text]
    assert [name for name in dms.PATCHED if f"def {name}(" in text] == list(dms.PATCHED)


def test_a_task_goes_through_the_documented_statuses(task):
    assert [status(), status()] == ["ready", "ready"]
    start(task, "start-replication")
    assert task.status == "starting"
    assert status() == "running"
    client("dms").stop_replication_task(ReplicationTaskArn=task.arn)
    assert task.status == "stopping"
    assert status() == "stopped"
    assert task.to_dict()["StopReason"] == "Stop Reason NORMAL"
    client("dms").modify_replication_task(ReplicationTaskArn=task.arn, ReplicationTaskSettings="{}")
    assert task.status == "modifying"
    assert status() == "stopped"


def test_only_the_legal_start_type_starts(task):
    status()
    for illegal in ("resume-processing", "reload-target"):
        with pytest.raises(ClientError, match="InvalidResourceStateFault"):
            start(task, illegal)
    start(task, "start-replication")
    with pytest.raises(ClientError, match="InvalidResourceStateFault"):
        start(task, "resume-processing")
    status()
    client("dms").stop_replication_task(ReplicationTaskArn=task.arn)
    status()
    with pytest.raises(ClientError, match="InvalidResourceStateFault"):
        start(task, "start-replication")
    start(task, "resume-processing")


def test_reloading_needs_a_running_task_and_changing_a_stopped_one(task):
    status()
    with pytest.raises(ClientError, match="InvalidResourceStateFault"):
        client("dms").reload_tables(
            ReplicationTaskArn=task.arn, TablesToReload=[{"SchemaName": "public", "TableName": "service"}]
        )
    start(task, "start-replication")
    status()
    with pytest.raises(ClientError, match="InvalidResourceStateFault"):
        client("dms").modify_replication_task(ReplicationTaskArn=task.arn, ReplicationTaskSettings="{}")


def test_statistics_come_in_pages_of_20_to_500(task):
    task.others = 30
    status()
    start(task, "start-replication")
    status()
    ask = client("dms").describe_table_statistics

    with pytest.raises(ClientError, match="between 20 and 500"):
        ask(ReplicationTaskArn=task.arn, MaxRecords=10)
    first = ask(ReplicationTaskArn=task.arn, MaxRecords=20)
    second = ask(ReplicationTaskArn=task.arn, MaxRecords=20, Marker=first["Marker"])

    assert len(first["TableStatistics"]) == 20
    assert {row["TableName"] for row in second["TableStatistics"]} >= TABLES.keys()
    assert "Marker" not in second


def test_what_is_not_there_is_not_found(task):
    for call in (
        lambda: client("dms").describe_replication_tasks(Filters=[{"Name": "replication-task-id", "Values": ["x"]}]),
        lambda: client("dms").describe_endpoints(Filters=[{"Name": "endpoint-id", "Values": ["x"]}]),
        lambda: client("dms").describe_table_statistics(ReplicationTaskArn="arn:x"),
    ):
        with pytest.raises(ClientError, match="ResourceNotFoundFault"):
            call()


def test_endpoints_tell_their_settings_and_no_password(task):
    client("dms").create_endpoint(
        EndpointIdentifier="p", EndpointType="source", EngineName="postgres", PostgreSQLSettings={"Password": "secret"}
    )
    endpoints = client("dms").describe_endpoints()["Endpoints"]

    assert "secret" not in json.dumps(endpoints, default=str)
    by_name = {one["EndpointIdentifier"]: one for one in endpoints}
    assert by_name["autocorp-target"]["S3Settings"]["BucketFolder"] == "lake/raw"
    assert by_name["autocorp-source"]["PostgreSQLSettings"]["FailTasksOnLobTruncation"] is True


# Fed by the real replicator


@pytest.fixture
def replication(task: Task) -> DmsReplication:
    return DmsReplication(task="autocorp", lake=LAKE, slot="of_dms", poll_seconds=0.1, period_seconds=1)


def keys(table: str) -> list[str]:
    prefix = f"lake/raw/database/{table}/"
    listed = client("s3").list_objects_v2(Bucket=LAKE_BUCKET, Prefix=prefix).get("Contents", [])
    return [entry["Key"].removeprefix(prefix) for entry in listed]


def read(table: str, name: str):
    key = f"lake/raw/database/{table}/{name}"
    return pq.read_table(io.BytesIO(client("s3").get_object(Bucket=LAKE_BUCKET, Key=key)["Body"].read()))


def test_a_database_is_replicated_as_dms_writes_it(task, replication, database, tmp_path):
    seed_database(database)
    with feed(task, dsn=database, folder=tmp_path, slot="of_dms") as fed:
        first = replication.catch_up(deadline_seconds=60, on_progress=print)

        assert first.tables["sales_order"].full_load_rows == 1000
        assert keys("sales_order") == ["LOAD00000001.parquet"]
        load = read("sales_order", "LOAD00000001.parquet")
        assert EXTENSION not in load.column_names
        assert set(load[SEQUENCE].to_pylist()) == {""}

        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "UPDATE service SET labor_minutes = 7 WHERE serviceid = (SELECT min(serviceid) FROM service)"
            )
        second = replication.catch_up(deadline_seconds=60, on_progress=print)
        assert second.tables["service"].updates == 1
        change = keys("service")[0]
        assert change.count("/") == 3
        assert change.split("/")[-1].removesuffix(".parquet").replace("-", "").isdecimal()
        assert read("service", change)["Op"].to_pylist() == ["U"]

        fed.fail_over(redeliver=1)
        replication.catch_up(deadline_seconds=60, on_progress=print)
        assert len([name for name in keys("service") if "/" in name]) == 2
        process = fed._process
        assert process is not None

        assert replication.reload(["service"], deadline_seconds=60, on_progress=print) == {}
        assert [name for name in keys("service") if "/" not in name] == ["LOAD00000001.parquet"]

        client("dms").stop_replication_task(ReplicationTaskArn=task.arn)
        replication.catch_up(deadline_seconds=60, on_progress=print)
        assert task.starts == ["start-replication", "resume-processing"]
        before = time.monotonic()
    assert time.monotonic() - before < 5
    assert not fed.is_running
