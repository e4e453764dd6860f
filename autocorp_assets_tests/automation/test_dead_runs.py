import os
import subprocess
import sys

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import EngineEventData

from autocorp_assets.automation.dead_runs import fail_dead_runs


@dg.op
def work() -> None:
    """Nothing to do: the runs of these tests are only on record."""


@dg.job
def platform_job() -> None:
    work()


@pytest.fixture
def instance():
    with dg.instance_for_test(
        overrides={"concurrency": {"pools": {"default_limit": 1, "granularity": "op"}}}
    ) as instance:
        yield instance


def started_run(instance: dg.DagsterInstance, process_id: int) -> str:
    """A run on record as being executed by a process."""
    run = instance.create_run_for_job(platform_job, status=dg.DagsterRunStatus.STARTED)
    instance.report_dagster_event(
        DagsterEvent(
            event_type_value=DagsterEventType.ENGINE_EVENT.value,
            job_name=run.job_name,
            message="Executing steps in process",
            event_specific_data=EngineEventData.in_process(process_id),
        ),
        run.run_id,
    )
    return run.run_id


@pytest.fixture
def dead_process_id() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_whose_process_is_gone_fails_and_gives_its_slot_back(instance, dead_process_id):
    run_id = started_run(instance, dead_process_id)
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default("lake_writer")
    assert storage.claim_concurrency_slot("lake_writer", run_id, "curate").is_claimed

    assert fail_dead_runs(instance) == [run_id]

    assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE
    assert storage.claim_concurrency_slot("lake_writer", "another", "curate").is_claimed


def test_a_run_of_a_live_process_is_left_alone(instance):
    run_id = started_run(instance, os.getpid())

    assert fail_dead_runs(instance) == []
    assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.STARTED


def test_a_process_id_that_was_given_anew_is_not_the_runs_process(instance, monkeypatch):
    run_id = started_run(instance, os.getpid())
    monkeypatch.setattr("psutil.Process.create_time", lambda _: 9_999_999_999.0)

    assert fail_dead_runs(instance) == [run_id]


def test_a_run_that_no_process_has_taken_up_is_left_alone(instance):
    run = instance.create_run_for_job(platform_job, status=dg.DagsterRunStatus.NOT_STARTED)

    assert fail_dead_runs(instance) == []
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.NOT_STARTED
