import pytest

from autocorp_assets.resources.aws.glue_runs import GlueRun, chained_conf, how_it_ended, with_remedy, workers_for
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.plan import FileKind, SourceFile, TablePlan
from spark_jobs.spark_conf import LAKE_SPARK_CONF

MB = 1024 * 1024


def run(state: str, error: str = "") -> GlueRun:
    return GlueRun(job="autocorp-curate", id="jr_1", state=state, error=error)


def plan(*sizes: int, load_rows: int = 0) -> TablePlan:
    files = tuple(SourceFile(path=f"raw/csv/f/{at}.csv", kind=FileKind.CSV, size=size) for at, size in enumerate(sizes))
    return TablePlan(table="t", base_commit=None, checkpoint=Checkpoint(), files=files, load_rows=load_rows)


def changes(count: int) -> TablePlan:
    files = tuple(SourceFile(path=f"raw/database/t/{at}.parquet", kind=FileKind.CHANGE) for at in range(count))
    return TablePlan(table="t", base_commit=None, checkpoint=Checkpoint(), files=files)


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "STOPPING", "WAITING"])
def test_runs_that_have_not_ended_are_active(state):
    assert run(state).is_active


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"])
def test_all_other_states_are_final(state):
    assert not run(state).is_active


@pytest.mark.parametrize(
    ("state", "error", "said", "todo"),
    [
        ("FAILED", "Command Failed due to Out of Memory", "Out of Memory", "AUTOCORP_AWS_WORKER_TYPE"),
        ("FAILED", "Command failed with exit code 10", "exit code 10", "AUTOCORP_AWS_WORKERS_MAX"),
        ("FAILED", "ExecutorLostFailure (executor 3 exited)", "executor 3", "AUTOCORP_AWS_WORKERS_MAX"),
        ("FAILED", "An error occurred (404) when calling the HeadObject operation", "404", "autocorp deploy"),
        ("FAILED", "Error Category: IMPORT_ERROR; ModuleNotFoundError: spark_jobs", "IMPORT", "autocorp deploy"),
        ("FAILED", "User is not authorized to perform: s3:PutObject", "s3:PutObject", "role lacks a permission"),
        ("FAILED", "something new", "failed: something new", ""),
        ("TIMEOUT", "", "ran into its timeout", "AUTOCORP_AWS_JOB_DEADLINE_MINUTES"),
        ("STOPPED", "", "was stopped", ""),
        ("ERROR", "", "failed in Glue itself", "tried again"),
        ("EXPIRED", "", "expired before it started", "maintenance window"),
    ],
)
def test_how_a_run_ended_and_what_to_do_is_told_in_words(state, error, said, todo):
    told = how_it_ended(run(state, error))

    assert told is not None
    assert "jr_1" in told
    assert said in told
    assert todo in told


def test_a_run_that_succeeded_has_nothing_to_tell():
    assert how_it_ended(run("SUCCEEDED")) is None


def test_a_table_that_lacked_memory_is_told_what_to_do_and_another_is_left_as_it_is():
    lost = {"table": "a", "error": "Job aborted: ExecutorLostFailure (executor 2 exited): Container killed"}
    bad = {"table": "b", "error": "column price is text"}

    assert "AUTOCORP_AWS_WORKERS_MAX" in with_remedy(lost)["error"]
    assert with_remedy(bad) == bad


@pytest.mark.parametrize(
    ("plans", "workers"),
    [
        ([], 2),
        ([changes(3)], 2),
        ([plan(153 * MB), plan(100 * MB)], 5),
        ([plan(), plan(load_rows=2_000_000)], 4),
        ([plan(5_000 * MB)], 10),
    ],
)
def test_workers_grow_with_what_is_pending_within_their_bounds(plans, workers):
    assert workers_for(plans, least=2, most=10) == workers


def test_all_of_the_lakes_configuration_goes_into_one_argument():
    value = chained_conf(LAKE_SPARK_CONF)

    assert not value.startswith("--conf")
    assert dict(part.split("=", 1) for part in value.split(" --conf ")) == dict(LAKE_SPARK_CONF)


def test_a_value_that_glue_would_cut_is_refused():
    with pytest.raises(ValueError, match=r"spark\.x"):
        chained_conf({"spark.x": "a b"})


def test_a_run_is_linked_in_the_console():
    url = GlueRun(job="a job", id="jr_1", state="FAILED").console_url("eu-central-1")

    assert url == (
        "https://eu-central-1.console.aws.amazon.com/gluestudio/home?region=eu-central-1#/job/a%20job/run/jr_1"
    )
