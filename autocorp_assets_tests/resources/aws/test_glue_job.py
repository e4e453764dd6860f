"""Runs of scripted jobs, without Spark, followed as the real one is."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.pipes import utils as pipes_waits

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.resources.aws.clients import ATTEMPTS, client
from autocorp_assets.resources.aws.glue_code import bucket_and_key, zip_url
from autocorp_assets.resources.aws.glue_job import GlueJobRunner
from autocorp_assets.resources.ports.job_runner import JobError, JobOutcome
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.faults import EXPIRED, THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.glue import RunFault, glue_jobs
from autocorp_assets_tests.fakes.server import FakeAws
from autocorp_assets_tests.resources.aws.glue_platform import keys, make_job, script
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.plan import TablePlan

pytestmark = pytest.mark.aws

TABLES = ("auto_parts", "service")
FOR_EVER = "import time; time.sleep(60)"
REPORTING = """
import time, types
import dagster_pipes
# Pipes takes five seconds to say farewell, sleeping.
dagster_pipes.time = types.SimpleNamespace(time=time.time, sleep=lambda seconds: time.sleep(min(seconds, 0.05)))
dagster_pipes.PipesStdioLogWriterChannel.WAIT_FOR_TEE_SECONDS = 0.1
from spark_jobs.pipes import open_pipes

def good(pipes, table):
    pipes.report_asset_materialization(asset_key=f"curated/{table}", metadata={"rows_applied": 1}, data_version="7")

def bad(pipes, table, error):
    pipes.report_custom_message({"table": table, "error": error, "file": None})

with open_pipes() as pipes:
    tables = [plan["table"] for plan in pipes.extras["plan"]["tables"]]
"""


@pytest.fixture(autouse=True)
def _quick_pipes(monkeypatch: pytest.MonkeyPatch):
    """Dagster looks each second for messages, and ten more seconds for those of a job that said no farewell."""
    monkeypatch.setattr(pipes_waits, "DEFAULT_SLEEP_INTERVAL", 0.05)
    monkeypatch.setattr(pipes_waits, "WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)


@dataclass
class Job:
    """The Glue job of a deployment, and what one Dagster run makes of it."""

    settings: Settings
    deadline_seconds: float = 20.0
    told: list[str] = field(default_factory=list)
    in_between: Callable[[], object] = lambda: None
    """Called when the writer is held, and nothing has been started yet."""

    @property
    def runner(self) -> GlueJobRunner:
        return GlueJobRunner(settings=self.settings, deadline_seconds=self.deadline_seconds, poll_seconds=0.05)

    def script(self, text: str) -> None:
        script(self.settings, text)

    def reports(self, body: str) -> None:
        """A job that does this for the tables `tables` over `pipes`."""
        script(self.settings, REPORTING + "".join(f"    {line}\n" for line in body.splitlines()))

    def start(self) -> str:
        return client("glue").start_job_run(JobName=self.settings.aws.glue_job)["JobRunId"]

    def states(self) -> list[str]:
        """Of all runs, the newest first."""
        return [
            run["JobRunState"] for run in client("glue").get_job_runs(JobName=self.settings.aws.glue_job)["JobRuns"]
        ]

    def run(self, tables: Sequence[str] = TABLES) -> JobOutcome:
        found: list[JobOutcome] = []
        errors: list[BaseException] = []

        @dg.multi_asset(specs=[dg.AssetSpec(curated_key(name), skippable=True) for name in tables])
        def curate(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
            plans = [TablePlan(table=name, base_commit=None, checkpoint=Checkpoint()) for name in tables]
            try:
                with self.runner.hold_writer(on_wait=self.told.append) as writer:
                    self.in_between()
                    found.append(writer.run(context=context, plans=plans))
            except (JobError, DagsterExecutionInterruptedError) as error:
                errors.append(error)
                raise
            yield from found[0].results
            if len(found[0].results) < len(tables):
                raise dg.Failure("as curated/tables.py does, or Dagster misses the others")

        dg.materialize([curate], raise_on_error=False)
        for error in errors:
            raise error
        return found[0]


@pytest.fixture
def job(aws: FakeAws, aws_settings: Settings) -> Job:
    make_job(aws_settings)
    aws.faults.clear()
    return Job(aws_settings)


def good(outcome: JobOutcome) -> list[str]:
    return [result.asset_key.path[-1] for result in outcome.results if result.asset_key]


def test_what_the_job_reports_is_all_that_is_materialised(job: Job):
    job.reports("good(pipes, tables[0])\nbad(pipes, tables[1], 'column price is text')\nprint('to the log')")

    outcome = job.run()

    assert good(outcome) == ["auto_parts"]
    assert outcome.results[0].data_version == dg.DataVersion("7")
    assert [dict(message) for message in outcome.messages] == [
        {"table": "service", "error": "column price is text", "file": None}
    ]
    assert outcome.ended is None
    assert outcome.tail == ""
    assert str(outcome.log).startswith("https://eu-central-1.console.aws.amazon.com/gluestudio/")


def test_a_run_is_started_with_what_the_lake_needs_and_with_workers_of_the_settings(job: Job, aws: FakeAws):
    job.reports("good(pipes, tables[0])")
    job.run()

    [run] = client("glue").get_job_runs(JobName=job.settings.aws.glue_job)["JobRuns"]
    assert run["Arguments"]["--datalake-formats"] == "hudi,delta"
    assert run["Arguments"]["--extra-py-files"] == zip_url(job.settings)
    assert "spark.autocorp.catalog.database=autocorp_lake" in run["Arguments"]["--conf"]
    assert (run["WorkerType"], run["NumberOfWorkers"], run["Timeout"]) == ("G.1X", 2, 1)
    # Context and messages are below the lake, where the roles may write; the context is gone afterwards.
    assert all("/messages/" in key for key in keys(job.settings, "pipes"))


def test_a_table_that_lost_its_executors_fails_alone_and_says_what_to_do(job: Job):
    job.reports("good(pipes, tables[0])\nbad(pipes, tables[1], 'ExecutorLostFailure (executor 2 exited)')")

    outcome = job.run()

    assert good(outcome) == ["auto_parts"]
    assert "AUTOCORP_AWS_WORKERS_MAX" in outcome.messages[0]["error"]


def test_a_driver_that_is_killed_keeps_what_it_told_and_shows_its_last_lines(job: Job):
    job.reports(
        "import os, signal, sys, time\n"
        "good(pipes, tables[0])\n"
        "pipes._message_channel._interval = -1\n"
        "sys.stderr.write('java.lang.OutOfMemoryError: Java heap space\\n')\n"
        "time.sleep(1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )

    outcome = job.run()

    assert good(outcome) == ["auto_parts"]
    assert outcome.ended is not None
    assert "exit code 137" in outcome.ended
    assert "AUTOCORP_AWS_WORKER" in outcome.ended


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (RunFault(state="EXPIRED"), "expired before it started"),
        (RunFault(state="ERROR"), "failed in Glue itself"),
        (RunFault(state="FAILED", error="Command Failed due to Out of Memory"), "AUTOCORP_AWS_WORKERS_MAX"),
        (RunFault(state="TIMEOUT"), "ran into its timeout"),
    ],
)
def test_a_run_that_ends_badly_says_how(job: Job, fault: RunFault, said: str):
    glue_jobs.faults.append(fault)

    outcome = job.run()

    assert said in (outcome.ended or "")
    assert good(outcome) == []


def test_the_last_lines_of_the_log_come_with_a_failure(job: Job):
    job.script("raise ValueError('no such thing')")

    outcome = job.run()

    assert "ValueError: no such thing" in (outcome.ended or "")
    assert outcome.tail.splitlines()[-1] == "ValueError: no such thing"


def test_a_run_beyond_the_deadline_is_stopped(job: Job):
    job.script(FOR_EVER)
    job.deadline_seconds = 0.4

    outcome = job.run()

    assert "had not ended after" in (outcome.ended or "")
    assert "AUTOCORP_AWS_JOB_DEADLINE_MINUTES" in (outcome.ended or "")
    assert job.states() == ["STOPPED"]


def test_cancelling_stops_the_run_and_waits_until_it_has_ended(job: Job):
    job.script(FOR_EVER)

    def cancel() -> None:
        while [run.status for run in glue_jobs.runs] != ["RUNNING"]:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=cancel, daemon=True).start()
    with pytest.raises(DagsterExecutionInterruptedError):
        job.run()

    assert job.states() == ["STOPPED"]


def test_plans_are_made_only_when_no_other_run_is_active(job: Job):
    job.script("import time; time.sleep(0.5)")
    other = job.start()

    with job.runner.hold_writer(on_wait=job.told.append):
        assert job.states() == ["SUCCEEDED"]

    assert job.told == [f"waiting for another run of Glue job autocorp-curate to end: {other}"]


def test_another_run_that_does_not_end_is_named(job: Job):
    job.script(FOR_EVER)
    other = job.start()
    job.deadline_seconds = 0.1

    with pytest.raises(JobError, match=f"{other}.*does not end"), job.runner.hold_writer(on_wait=job.told.append):
        pass


def test_a_start_waits_for_the_run_that_came_in_between(job: Job):
    job.reports("good(pipes, tables[0])")
    glue_jobs.faults.append(RunFault(state="FAILED", after_seconds=0.3))
    job.in_between = job.start

    outcome = job.run()

    assert good(outcome) == ["auto_parts"]
    assert job.states() == ["SUCCEEDED", "FAILED"]


def test_a_start_does_not_wait_for_ever(job: Job):
    job.script(FOR_EVER)
    job.deadline_seconds = 0.3
    job.in_between = job.start

    with pytest.raises(JobError, match=r"could not be started.*Concurrent"):
        job.run()


def test_a_look_that_fails_is_repeated_and_told(job: Job, aws: FakeAws):
    job.reports("good(pipes, tables[0])")
    aws.faults.add("glue:GetJobRun", *[UNAVAILABLE] * ATTEMPTS)

    assert good(job.run()) == ["auto_parts"]


def test_a_start_whose_answer_was_lost_is_followed_and_not_repeated(job: Job):
    job.reports("good(pipes, tables[0])\nimport time; time.sleep(1)")
    glue_jobs.lost_answers = 1

    outcome = job.run()

    assert good(outcome) == ["auto_parts"]
    assert job.states() == ["SUCCEEDED"]


def test_throttling_and_errors_of_the_server_pass_unnoticed(job: Job, aws: FakeAws):
    job.reports("good(pipes, tables[0])")
    for call in ("GetJobRuns", "StartJobRun", "GetJobRun"):
        aws.faults.add(f"glue:{call}", THROTTLED, UNAVAILABLE)

    assert good(job.run()) == ["auto_parts"]


def test_expired_credentials_say_what_to_do(job: Job, aws: FakeAws):
    aws.faults.add("glue:GetJobRuns", EXPIRED)

    with pytest.raises(JobError, match="renew them"):
        job.run()


def test_a_missing_job_and_missing_code_say_what_to_do(job: Job):
    bucket, key = bucket_and_key(zip_url(job.settings))
    client("s3").delete_object(Bucket=bucket, Key=key)
    with pytest.raises(JobError, match="autocorp deploy"):
        job.run()

    client("glue").delete_job(JobName=job.settings.aws.glue_job)
    with pytest.raises(JobError, match="AUTOCORP_AWS_GLUE_JOB"):
        job.run()


def test_following_a_run_takes_few_requests(job: Job, aws: FakeAws):
    job.reports("good(pipes, tables[0])")
    aws.faults.requests.clear()

    job.run()

    assert aws.faults.requests["glue:GetJobRuns"] == 1
    assert aws.faults.requests["glue:StartJobRun"] == 1
    assert aws.faults.requests["s3:HEAD"] == 2
