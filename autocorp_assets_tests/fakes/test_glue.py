"""The stand-in for Glue's jobs itself."""

import inspect
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autocorp_assets.resources.aws.clients import client
from autocorp_assets_tests.fakes import glue
from autocorp_assets_tests.fakes.glue import RunFault, glue_jobs
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

FOR_EVER = "import time; time.sleep(60)"


def make_job(text: str, *, concurrent_runs: int = 1) -> None:
    client("s3").put_object(Bucket=LAKE_BUCKET, Key="code/job.py", Body=text.encode())
    client("glue").create_job(
        Name="job",
        Role="role",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{LAKE_BUCKET}/code/job.py"},
        ExecutionProperty={"MaxConcurrentRuns": concurrent_runs},
        GlueVersion="5.1",
    )


def start(**parameters: Any) -> str:
    return client("glue").start_job_run(JobName="job", **parameters)["JobRunId"]


def describe(run_id: str) -> dict[str, Any]:
    return client("glue").get_job_run(JobName="job", RunId=run_id)["JobRun"]


def until(run_id: str, *states: str) -> dict[str, Any]:
    """The run, once it is in one of these states."""
    deadline = time.monotonic() + 10
    while (run := describe(run_id))["JobRunState"] not in states:
        assert time.monotonic() < deadline, run
        time.sleep(0.02)
    return run


def test_every_name_of_moto_that_is_replaced_exists_in_this_version_of_it():
    for owner, name in glue.PATCHED:
        source = Path(inspect.getfile(owner)).read_text()
        assert f"class {owner.__name__}" in source
        assert f"def {name}(" in source


def test_a_script_is_run_with_its_arguments_and_its_output_is_logged(aws: FakeAws):
    make_job("import sys; print('hello', *sys.argv[1:]); print('oops', file=sys.stderr)")

    run_id = start(Arguments={"--table": "a b"}, WorkerType="G.1X", NumberOfWorkers=3)

    run = until(run_id, "SUCCEEDED")
    assert (run["WorkerType"], run["NumberOfWorkers"], run["GlueVersion"]) == ("G.1X", 3, "5.1")
    assert run["CompletedOn"] >= run["StartedOn"]
    for group, line in (("output", "hello --table a b"), ("error", "oops")):
        events = client("logs").get_log_events(logGroupName=f"/aws-glue/jobs/{group}", logStreamName=run_id)["events"]
        assert [event["message"] for event in events] == [line]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('bad')", "ValueError: bad"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code 137"),
        ("import autocorp_assets.settings, no_such_module", "ModuleNotFoundError"),
    ],
)
def test_a_script_that_fails_leaves_its_last_words(aws: FakeAws, text: str, said: str):
    make_job(text)

    assert said in until(start(), "FAILED")["ErrorMessage"]


def test_a_missing_script_fails_as_a_missing_object(aws: FakeAws):
    make_job("")
    client("s3").delete_object(Bucket=LAKE_BUCKET, Key="code/job.py")

    assert "404" in until(start(), "FAILED")["ErrorMessage"]


def test_one_run_at_a_time_unless_the_job_says_otherwise(aws: FakeAws):
    make_job(FOR_EVER)
    first = start()

    with pytest.raises(ClientError, match="ConcurrentRunsExceededException"):
        start()
    waiting = start(JobRunQueuingEnabled=True)
    assert describe(waiting)["JobRunState"] == "WAITING"
    client("glue").batch_stop_job_run(JobName="job", JobRunIds=[first])
    until(first, "STOPPED")
    until(waiting, "RUNNING")
    assert [run["Id"] for run in client("glue").get_job_runs(JobName="job")["JobRuns"]] == [waiting, first]


def test_what_is_stopped_goes_by_stopping_and_what_has_ended_cannot_be_stopped(aws: FakeAws):
    make_job(FOR_EVER)
    run_id = start()
    until(run_id, "RUNNING")

    first = client("glue").batch_stop_job_run(JobName="job", JobRunIds=[run_id])
    until(run_id, "STOPPED")
    second = client("glue").batch_stop_job_run(JobName="job", JobRunIds=[run_id, "jr_none"])

    assert [run["JobRunId"] for run in first["SuccessfulSubmissions"]] == [run_id]
    assert [run["JobRunId"] for run in second["Errors"]] == [run_id, "jr_none"]


def test_a_run_beyond_its_timeout_is_ended(aws: FakeAws):
    make_job(FOR_EVER)
    glue_jobs.minute_seconds = 0.05

    until(start(Timeout=1), "TIMEOUT")


def test_faults_are_given_once_each(aws: FakeAws):
    make_job("")
    glue_jobs.faults += [
        RunFault(state="EXPIRED"),
        RunFault(state="FAILED", error="Command Failed due to Out of Memory", after_seconds=0.0),
    ]
    make_script_slow = FOR_EVER
    client("s3").put_object(Bucket=LAKE_BUCKET, Key="code/job.py", Body=make_script_slow.encode())

    until(start(), "EXPIRED")
    assert "Out of Memory" in until(start(), "FAILED")["ErrorMessage"]
    client("s3").put_object(Bucket=LAKE_BUCKET, Key="code/job.py", Body=b"")
    until(start(), "SUCCEEDED")


def test_forgetting_everything_ends_what_runs(aws: FakeAws):
    make_job(FOR_EVER)
    until(start(), "RUNNING")
    [run] = glue_jobs.runs

    aws.forget_everything()

    assert run.script_has_ended
    assert glue_jobs.runs == []
