from datetime import UTC, datetime

import dagster as dg

from autocorp_assets.automation.conditions import curated_condition

RAW = dg.AssetKey("raw")
FEED = dg.AssetKey("feed")
CURATED = dg.AssetKey("curated")


def definitions(*, fails: bool = False) -> dg.Definitions:
    @dg.asset(key=CURATED, deps=[RAW, FEED], automation_condition=curated_condition([RAW, FEED]))
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
