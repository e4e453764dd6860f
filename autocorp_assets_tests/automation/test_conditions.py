from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from autocorp_assets.automation.conditions import curated_condition, left_to_a_schedule, window_cron

RAW = dg.AssetKey("raw")
FEED = dg.AssetKey("feed")
CURATED = dg.AssetKey("curated")


def definitions(*, fails: bool = False, every_minutes: int | None = None) -> dg.Definitions:
    condition = curated_condition([RAW, FEED], every_minutes=every_minutes)

    @dg.asset(key=CURATED, deps=[RAW, FEED], automation_condition=condition)
    def curated() -> None:
        if fails:
            raise dg.Failure("bad data", allow_retries=False)

    return dg.Definitions(assets=[dg.AssetSpec(RAW), dg.AssetSpec(FEED), curated])


def report(instance: dg.DagsterInstance, key: dg.AssetKey) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(key))


def evaluate(instance, cursor=None, **options) -> dg.EvaluateAutomationConditionsResult:
    return dg.evaluate_automation_conditions(definitions(), instance=instance, cursor=cursor, **options)


def test_what_arrived_before_the_first_look_is_requested():
    instance = dg.DagsterInstance.ephemeral()
    report(instance, RAW)

    assert evaluate(instance).total_requested == 1


def test_news_of_one_input_are_enough_though_another_never_existed():
    instance = dg.DagsterInstance.ephemeral()
    first = evaluate(instance)
    report(instance, RAW)

    second = evaluate(instance, first.cursor)

    assert second.total_requested == 1
    assert second.get_num_requested(CURATED) == 1


def test_news_of_one_table_ask_for_all_in_one_go():
    condition = curated_condition([RAW, FEED])

    @dg.multi_asset(
        specs=[
            dg.AssetSpec("of_raw", deps=[RAW], automation_condition=condition, skippable=True),
            dg.AssetSpec("of_feed", deps=[FEED], automation_condition=condition, skippable=True),
        ],
        can_subset=True,
    )
    def curate():
        """Only the requests are looked at."""

    platform = dg.Definitions(assets=[dg.AssetSpec(RAW), dg.AssetSpec(FEED), curate])
    instance = dg.DagsterInstance.ephemeral()
    first = dg.evaluate_automation_conditions(platform, instance=instance)
    report(instance, FEED)

    second = dg.evaluate_automation_conditions(platform, instance=instance, cursor=first.cursor)

    assert second.total_requested == 2


def test_while_a_run_has_materialised_only_some_of_its_tables_nothing_is_asked_for():
    keys = [dg.AssetKey("orders"), dg.AssetKey("parts")]
    condition = curated_condition([RAW], tables=keys)

    @dg.multi_asset(
        specs=[dg.AssetSpec(key, deps=[RAW], automation_condition=condition, skippable=True) for key in keys],
        can_subset=True,
    )
    def curate():
        """Only the requests are looked at."""

    platform = dg.Definitions(assets=[dg.AssetSpec(RAW), curate])
    instance = dg.DagsterInstance.ephemeral()
    job = platform.resolve_implicit_global_asset_job_def()
    cursor = dg.evaluate_automation_conditions(platform, instance=instance).cursor
    run = instance.create_run_for_job(job, asset_selection=frozenset(keys), status=dg.DagsterRunStatus.STARTED)
    report(instance, RAW)
    done = dg.DagsterEvent(
        event_type_value="ASSET_MATERIALIZATION",
        job_name=run.job_name,
        event_specific_data=StepMaterializationData(dg.AssetMaterialization(keys[0])),
    )
    instance.report_dagster_event(done, run.run_id)

    half = dg.evaluate_automation_conditions(platform, instance=instance, cursor=cursor)
    instance.report_run_failed(run)
    after = dg.evaluate_automation_conditions(platform, instance=instance, cursor=half.cursor)

    assert (half.total_requested, after.total_requested) == (0, 2)


def test_the_same_news_are_requested_once():
    instance = dg.DagsterInstance.ephemeral()
    first = evaluate(instance)
    report(instance, RAW)
    second = evaluate(instance, first.cursor)

    assert second.total_requested == 1
    assert evaluate(instance, second.cursor).total_requested == 0


def test_news_that_came_while_a_run_was_busy_with_older_ones_are_requested_after_it():
    instance = dg.DagsterInstance.ephemeral()
    first = evaluate(instance)
    job = definitions().resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(job, asset_selection=frozenset({CURATED}), status=dg.DagsterRunStatus.STARTED)
    report(instance, RAW)
    busy = evaluate(instance, first.cursor)
    report(instance, CURATED)
    instance.report_run_failed(run)

    assert busy.total_requested == 0
    assert evaluate(instance, busy.cursor).total_requested == 1


def test_what_failed_is_tried_again_every_ten_minutes_without_news():
    instance = dg.DagsterInstance.ephemeral()
    report(instance, RAW)
    broken = definitions(fails=True)
    first = evaluate(instance, evaluation_time=datetime(2026, 1, 1, 12, 1, tzinfo=UTC))
    broken.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance, raise_on_error=False)

    soon = evaluate(instance, first.cursor, evaluation_time=datetime(2026, 1, 1, 12, 2, tzinfo=UTC))
    later = evaluate(instance, soon.cursor, evaluation_time=datetime(2026, 1, 1, 12, 11, tzinfo=UTC))

    assert (first.total_requested, soon.total_requested, later.total_requested) == (1, 0, 1)


def test_what_is_running_is_not_requested_again_until_it_has_ended():
    instance = dg.DagsterInstance.ephemeral()
    job = definitions().resolve_implicit_global_asset_job_def()
    first = evaluate(instance)
    run = instance.create_run_for_job(job, asset_selection=frozenset({CURATED}), status=dg.DagsterRunStatus.STARTED)
    report(instance, RAW)

    held = evaluate(instance, first.cursor)
    assert held.total_requested == 0

    instance.report_run_failed(run)
    assert evaluate(instance, held.cursor).total_requested == 1


class Clock:
    """A platform with windows of ten minutes, evaluated at given times of one hour."""

    def __init__(self) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor = None
        self.definitions = definitions(every_minutes=10)

    def requests_at(self, minute: int, second: int = 3) -> int:
        result = dg.evaluate_automation_conditions(
            self.definitions,
            instance=self.instance,
            cursor=self.cursor,
            evaluation_time=datetime(2026, 1, 1, 12, minute, second, tzinfo=UTC),
        )
        self.cursor = result.cursor
        return result.total_requested


def test_with_windows_the_first_look_still_asks_at_once():
    assert Clock().requests_at(3) == 1


def test_news_of_one_window_wait_for_the_next_and_are_one_request():
    clock = Clock()
    clock.requests_at(1)
    asked = []
    for minute in range(2, 20):
        report(clock.instance, RAW)
        asked += [minute] * clock.requests_at(minute)

    assert asked == [10]


def test_a_window_without_news_is_not_lost_to_those_that_come_later_in_it():
    clock = Clock()
    clock.requests_at(1)
    clock.requests_at(2)
    quiet = [clock.requests_at(minute) for minute in (10, 11, 12)]
    report(clock.instance, RAW)

    assert quiet == [0, 0, 0]
    assert clock.requests_at(13) == 1


def test_what_was_busy_when_the_window_began_is_requested_as_soon_as_it_is_idle():
    clock = Clock()
    clock.requests_at(1)
    clock.requests_at(2)
    job = clock.definitions.resolve_implicit_global_asset_job_def()
    run = clock.instance.create_run_for_job(
        job, asset_selection=frozenset({CURATED}), status=dg.DagsterRunStatus.STARTED
    )
    report(clock.instance, RAW)
    busy = [clock.requests_at(10), clock.requests_at(12)]
    clock.instance.report_run_failed(run)

    assert busy == [0, 0]
    assert clock.requests_at(13) == 1
    report(clock.instance, RAW)
    assert (clock.requests_at(14), clock.requests_at(20)) == (0, 1)


def test_a_request_in_the_last_moment_of_a_window_does_not_use_up_the_next():
    clock = Clock()
    clock.requests_at(1)
    clock.requests_at(2)
    clock.requests_at(10)
    report(clock.instance, RAW)
    assert clock.requests_at(19, 58) == 1
    report(clock.instance, RAW)

    assert clock.requests_at(20) == 1


def test_windows_are_whole_minutes_or_whole_hours():
    assert [window_cron(minutes) for minutes in (10, 60, 90, 120)] == [
        "*/10 * * * *",
        "0 */1 * * *",
        "0 */2 * * *",
        "0 */2 * * *",
    ]
    with pytest.raises(ValueError, match="CURATE_EVERY_MINUTES"):
        window_cron(0)


def test_while_nothing_happens_dagster_has_nothing_to_store_whatever_the_clock_says():
    """It stores 50 KB of each table whenever a look comes to another value than the one before."""
    instance = dg.DagsterInstance.ephemeral()
    result = evaluate(instance, evaluation_time=datetime(2026, 1, 1, 11, 58, tzinfo=UTC))
    values = []
    for minute, second in ((58, 5), (58, 10), (59, 59), (60, 4), (60, 9), (70, 2), (70, 7)):
        at = datetime(2026, 1, 1, 11, tzinfo=UTC) + timedelta(minutes=minute, seconds=second)
        result = evaluate(instance, result.cursor, evaluation_time=at)
        values.append([one.value_hash for one in result.results])

    assert values[1:] == [values[1]] * 6


def test_a_check_that_is_left_to_its_schedule_is_never_asked_for():
    @dg.asset_check(asset=RAW, automation_condition=left_to_a_schedule())
    def weekly() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    defs = dg.Definitions(assets=[dg.AssetSpec(RAW)], asset_checks=[weekly])
    instance = dg.DagsterInstance.ephemeral()
    report(instance, RAW)
    first = dg.evaluate_automation_conditions(defs, instance=instance)
    report(instance, RAW)
    second = dg.evaluate_automation_conditions(defs, instance=instance, cursor=first.cursor)

    assert (first.total_requested, second.total_requested) == (0, 0)
