"""How far raw is behind is told by what replicates, and that nobody can tell is a finding too."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from autocorp_assets.asset_keys import raw_table_key
from autocorp_assets.automation.lag import Told, lag_sensor, tell_lag
from autocorp_assets.checks.lag import LAG, lag_checks, look_at_lag
from autocorp_assets.checks.results import last_evaluation
from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.ports.replication import ReplicationError, ReplicationState

TWO = {name: TABLES[name] for name in ("auto_parts", "customers")}
FOLLOWING = ReplicationState(running=True, should_run=True, summary="streaming", silent_seconds=2, is_following=True)
DOWN = ReplicationState(running=False, should_run=True, summary="failed; no disk")
NOW = datetime.now(UTC)


class Said:
    """Replication that says what the test has it say."""

    def __init__(self, state: ReplicationState) -> None:
        self.now = state

    def state(self) -> ReplicationState:
        if "unknown" in self.now.summary:
            raise ReplicationError(self.now.summary)
        return self.now


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def arrive(instance: dg.DagsterInstance, table: str = "auto_parts", *, at: datetime = NOW, **metadata: str) -> None:
    with freeze_time(at):
        instance.report_runless_asset_event(dg.AssetMaterialization(raw_table_key(table), metadata=metadata))


def judged(instance: dg.DagsterInstance, state: ReplicationState, *, after: timedelta = timedelta()) -> dict:
    found = look_at_lag(instance, TWO.values(), Said(state), now=NOW + after)  # ty: ignore[invalid-argument-type]
    return {contract.name: result for contract, result in found}


def test_a_replication_that_follows_is_behind_by_its_last_word(instance):
    arrive(instance, at=NOW - timedelta(hours=3), newest_file="20260102-030405000-0000000001-00.parquet")

    result = judged(instance, FOLLOWING)["auto_parts"]

    assert result.passed
    assert result.description == "raw is at most 2 s behind the source"
    assert result.metadata["lag_seconds"].value == 2
    assert result.metadata["newest_file"].value == "20260102-030405000-0000000001-00.parquet"
    assert "complete_until" in result.metadata


def test_one_that_hangs_is_behind_and_warns(instance):
    arrive(instance)

    result = judged(instance, replace(FOLLOWING, silent_seconds=601))["auto_parts"]

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["lag_seconds"].value == 601


def test_where_it_cannot_be_told_the_result_says_so_and_why(instance):
    arrive(instance)

    early, late = (judged(instance, DOWN, after=timedelta(minutes=minutes))["auto_parts"] for minutes in (9, 11))
    never = judged(instance, DOWN)["customers"]
    unknown = judged(instance, replace(DOWN, summary="unknown: AWS throttled"))["customers"]

    assert (early.passed, late.passed) == (True, False)
    cannot = "how far raw is behind cannot be told"
    assert str(late.description).startswith(f"{cannot}: failed; no disk; something last arrived 6")
    assert (never.passed, never.description) == (False, f"{cannot}: failed; no disk; nothing ever arrived")
    assert unknown.description == f"{cannot}: unknown: AWS throttled; nothing ever arrived"
    assert "lag_seconds" not in late.metadata


def test_a_table_that_dropped_out_is_the_only_one_that_fails(instance):
    found = judged(instance, replace(FOLLOWING, tables_in_error=("auto_parts",)))

    assert (found["auto_parts"].passed, found["customers"].passed) == (False, True)
    assert "dropped out" in str(found["auto_parts"].description)


def test_changes_are_told_at_once_and_the_rest_now_and_then(instance):
    dropped = replace(FOLLOWING, tables_in_error=("customers",))
    minutes = {0: FOLLOWING, 1: FOLLOWING, 12: dropped, 13: FOLLOWING, 15: FOLLOWING}
    told, evaluations = Told(), []
    with freeze_time(NOW):
        for name in TWO:
            arrive(instance, name)

    for minute, state in minutes.items():
        now = NOW + timedelta(minutes=minute)
        told, _ = tell_lag(instance, list(TWO.values()), Said(state), Told.read(told.text()), now=now)  # ty: ignore[invalid-argument-type]
        keys = {name: dg.AssetCheckKey(raw_table_key(name), LAG) for name in TWO}
        history = instance.event_log_storage.get_asset_check_execution_history
        evaluations.append([len(history(key, limit=99)) for key in keys.values()])
        if state is dropped:
            failed = last_evaluation(instance, keys["customers"])

    assert evaluations == [[1, 1], [1, 1], [1, 2], [1, 3], [2, 4]]
    assert failed is not None
    assert not failed.passed
    assert failed.target_materialization_data is not None


def test_what_the_hourly_checks_of_raw_found_stays_in_sight_when_files_arrive(instance):
    key = dg.AssetCheckKey(raw_table_key("auto_parts"), "schema")

    @dg.asset_check(asset=key.asset_key, name=key.name)
    def schema() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="unknown column")

    job = dg.define_asset_job("hourly", selection=dg.AssetSelection.checks(schema))
    defs = dg.Definitions(assets=[dg.AssetSpec(key.asset_key)], asset_checks=[schema], jobs=[job])
    defs.resolve_job_def("hourly").execute_in_process(instance=instance)
    for _ in range(3):
        arrive(instance)
        tell_lag(instance, list(TWO.values()), Said(FOLLOWING), Told(), now=NOW)  # ty: ignore[invalid-argument-type]

    again, found = instance.event_log_storage.get_asset_check_execution_history(key, limit=9)
    assert (found.run_id != "", again.run_id) == (True, "")
    assert again.evaluation is not None
    assert (again.evaluation.passed, again.evaluation.description) == (False, "unknown column")


def test_the_sensor_says_how_raw_stands(instance):
    context = dg.build_sensor_context(instance=instance, resources={"replication": Said(FOLLOWING)})

    result = lag_sensor(TWO.values()).evaluate_tick(context)

    assert result.skip_message == "raw is at most 2 s behind the source"
    assert last_evaluation(instance, dg.AssetCheckKey(raw_table_key("auto_parts"), LAG))


def test_the_checks_can_be_run_by_hand():
    checks = lag_checks(TWO)
    job = dg.Definitions(
        assets=[dg.AssetSpec(raw_table_key(name)) for name in TWO],
        asset_checks=[checks],
        jobs=[dg.define_asset_job("check", selection=dg.AssetSelection.checks(checks))],
        resources={"replication": Said(FOLLOWING)},
    ).resolve_job_def("check")

    evaluations = job.execute_in_process().get_asset_check_evaluations()

    assert [(one.check_name, one.passed) for one in evaluations] == [(LAG, True)] * 2
