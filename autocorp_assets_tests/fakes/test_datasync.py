"""DataSync's stand-in keeps to what AWS documents."""

import pytest
from botocore.exceptions import ClientError
from moto.datasync.models import DataSyncBackend, Task, TaskExecution
from moto.datasync.responses import DataSyncResponse
from moto.s3.models import S3Backend

from autocorp_assets.resources.aws.clients import client
from autocorp_assets_tests.fakes.datasync import PHASES, Failure, advance, controls, make_task
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws
LAKE = f"s3://{LAKE_BUCKET}/lake"


@pytest.fixture
def exports(aws: FakeAws, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


def describe(arn: str) -> dict:
    return client("datasync").describe_task_execution(TaskExecutionArn=arn)


def keys() -> list[str]:
    return [entry["Key"] for entry in client("s3").list_objects_v2(Bucket=LAKE_BUCKET).get("Contents", [])]


def test_every_name_of_moto_that_is_extended_exists():
    assert {
        "create_task",
        "start_task_execution",
        "describe_task_execution",
        "cancel_task_execution",
        "list_tasks",
    } <= {*vars(DataSyncResponse)}
    assert hasattr(DataSyncBackend, "_get_task_execution")
    assert {"tasks", "task_executions", "arn_counter", "locations"} <= {*vars(DataSyncBackend("r", "1"))}
    assert hasattr(S3Backend, "put_object")
    assert {"arn", "task_arn", "status"} <= {*vars(TaskExecution("arn:task"))}
    assert {"status", "metadata", "current_task_execution_arn"} <= {*vars(Task("s", "d", "n", "r", {}))}


def test_an_execution_goes_through_the_phases_and_copies(exports):
    (exports / "customers-20241121.csv").write_text("one")
    task = make_task("customers", source=exports, lake=LAKE)
    arn = client("datasync").start_task_execution(TaskArn=task)["TaskExecutionArn"]

    seen = [describe(arn) for _ in range(len(PHASES))]

    assert [answer["Status"] for answer in seen] == list(PHASES)
    assert keys() == ["lake/raw/csv/customers/customers-20241121.csv"]
    assert seen[2]["Result"]["VerifyStatus"] == "PENDING"
    assert seen[-1]["Result"]["VerifyStatus"] == "SUCCESS"
    assert (seen[-1]["FilesTransferred"], seen[-1]["BytesWritten"], seen[-1]["FilesVerified"]) == (1, 3, 1)


def test_a_task_runs_one_execution_at_a_time_and_lists_them(exports):
    datasync = client("datasync")
    task = make_task("customers", source=exports, lake=LAKE)
    first = datasync.start_task_execution(TaskArn=task)["TaskExecutionArn"]
    with pytest.raises(ClientError, match="InvalidRequestException"):
        datasync.start_task_execution(TaskArn=task)
    advance(first, until="SUCCESS")
    datasync.start_task_execution(TaskArn=task)

    pages = list(datasync.get_paginator("list_task_executions").paginate(TaskArn=task, MaxResults=1))

    assert [entry["Status"] for page in pages for entry in page["TaskExecutions"]] == ["SUCCESS", "QUEUED"]
    assert datasync.describe_task(TaskArn=task)["Status"] == "RUNNING"


def test_what_is_there_already_is_not_copied_again_and_includes_choose(exports):
    (exports / "customers-20241121.csv").write_text("one")
    (exports / "other-20241121.csv").write_text("two")
    includes = [{"FilterType": "SIMPLE_PATTERN", "Value": "/customers-*"}]
    task = make_task("customers", source=exports, lake=LAKE, Includes=includes)
    for files in (1, 0):
        arn = client("datasync").start_task_execution(TaskArn=task)["TaskExecutionArn"]
        advance(arn, until="SUCCESS")
        assert describe(arn)["FilesTransferred"] == files
    assert len(keys()) == 1


def test_a_failure_says_its_phase_code_and_detail(exports):
    for number in range(2):
        (exports / f"customers-2024112{number}.csv").write_text("one")
    controls().failures.append(Failure(phase="TRANSFERRING", code="C", detail="D", files=1))
    arn = client("datasync").start_task_execution(TaskArn=make_task("customers", source=exports, lake=LAKE))[
        "TaskExecutionArn"
    ]

    assert advance(arn, until="SUCCESS") == "ERROR"

    result = describe(arn)["Result"]
    assert (result["PrepareStatus"], result["TransferStatus"], result["VerifyStatus"]) == (
        "SUCCESS",
        "ERROR",
        "PENDING",
    )
    assert (result["ErrorCode"], result["ErrorDetail"]) == ("C", "D")
    assert len(keys()) == 1


def test_a_cancelled_execution_ends_in_error(exports):
    datasync = client("datasync")
    arn = datasync.start_task_execution(TaskArn=make_task("customers", source=exports, lake=LAKE))["TaskExecutionArn"]
    datasync.cancel_task_execution(TaskExecutionArn=arn)

    assert [describe(arn)["Status"] for _ in range(2)] == ["CANCELLING", "ERROR"]


def test_the_source_may_be_in_s3(aws: FakeAws):
    client("s3").put_object(Bucket=LAKE_BUCKET, Key="landing/customers-20241121.csv", Body=b"one")
    task = make_task("customers", source=f"s3://{LAKE_BUCKET}/landing", lake=LAKE)
    advance(client("datasync").start_task_execution(TaskArn=task)["TaskExecutionArn"], until="SUCCESS")

    assert "lake/raw/csv/customers/customers-20241121.csv" in keys()
