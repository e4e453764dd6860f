"""Old runs go with their files, and nothing that is still of use: on a real instance, with a clock of the test's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from autocorp_assets.automation.forgetting import forget_runs, last_runs
from autocorp_assets.checks.results import last_evaluation

TABLE = dg.AssetKey("table")
CHECK = dg.AssetCheckKey(TABLE, "unique")
NOW = datetime.now(UTC)


@dg.asset(key=TABLE)
def table() -> None:
    """Materialised by each run."""


@dg.asset_check(asset=table)
def unique() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True, metadata={"rows": 3})


@dg.op
def fail() -> None:
    raise dg.Failure("no disk", allow_retries=False)


@dg.job
def failing() -> None:
    fail()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


def curate(instance: dg.DagsterInstance) -> str:
    return dg.materialize([table], instance=instance).run_id


def check(instance: dg.DagsterInstance) -> str:
    selection = dg.AssetSelection.checks(CHECK)
    tags = {"autocorp/trigger": "schedule"}
    return dg.materialize([table, unique], instance=instance, selection=selection, tags=tags).run_id


def run_ids(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def files(folder: Path, run_id: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if run_id in str(path.relative_to(folder))]


def test_a_check_is_forgotten_after_a_week_and_its_result_is_not(instance, tmp_path):
    curated, checked = curate(instance), check(instance)
    assert files(tmp_path, checked)

    forget_runs(instance, now=NOW + timedelta(days=6), owns_files=True)
    after_six = run_ids(instance)
    told = forget_runs(instance, now=NOW + timedelta(days=8), owns_files=True).told()

    assert after_six == {curated, checked}
    assert run_ids(instance) == {curated}
    assert files(tmp_path, checked) == []
    assert told == "forgot runs: 1 of checks and views"
    result = last_evaluation(instance, CHECK)
    assert result is not None
    assert result.metadata["rows"].value == 3


def test_tables_are_forgotten_after_a_month_but_for_the_last_run_of_each(instance):
    old, last = curate(instance), curate(instance)

    kept = forget_runs(instance, now=NOW + timedelta(days=31), owns_files=True).told()
    forget_runs(instance, now=NOW + timedelta(days=400), owns_files=True)

    assert "no run is old enough" in kept
    assert last_runs(instance) == run_ids(instance) == {last}
    assert old not in run_ids(instance)
    assert instance.get_latest_materialization_event(TABLE).run_id == last


def test_failures_are_kept_for_three_months_and_what_is_under_way_for_ever(instance):
    failing.execute_in_process(instance=instance, raise_on_error=False)
    under_way = instance.create_run_for_job(failing, status=dg.DagsterRunStatus.STARTED).run_id

    forget_runs(instance, now=NOW + timedelta(days=85), owns_files=True)
    after_85 = len(run_ids(instance))
    forget_runs(instance, now=NOW + timedelta(days=95), owns_files=True)

    assert after_85 == 2
    assert run_ids(instance) == {under_way}


def test_a_run_that_cannot_be_forgotten_is_named_and_keeps_no_other(instance, monkeypatch):
    stuck, other, _ = check(instance), check(instance), curate(instance)
    delete = instance.delete_run

    def refuse(run_id: str) -> None:
        if run_id == stuck:
            message = "database is locked"
            raise OSError(message)
        delete(run_id)

    monkeypatch.setattr(instance, "delete_run", refuse)

    told = forget_runs(instance, now=NOW + timedelta(days=8), owns_files=False).told()

    assert other not in run_ids(instance)
    assert f"CANNOT FORGET run {stuck}: OSError: database is locked" in told
