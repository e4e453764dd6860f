"""When views are asked anew, and what holds them back."""

import dagster as dg

from autocorp_assets.automation.conditions import RETRY_CRON

LOOK_SECONDS = 60
"""Starting a run costs seconds of two cores, and a view shows the tables as they are whether or not it was asked: at
most one run a minute. A condition of the clock would say so too, and turn true and false every minute: Dagster stores
each turn of each view, some 100 KB, which makes 750 MB of an idle day, and keeps it for 30 days."""


def view_condition(verdicts: dg.AssetSelection) -> dg.AutomationCondition:
    """Whenever a table below the view has changed, unless a check says that it may be wrong.

    It is like `eager()`, without what that would do wrong here:

    - A change is another data version, which is the table's commit: a run that found a table unchanged is no news.
    - It waits for no table that never existed: a view of it answers, with nothing from there.
    - It does not wait for a run that is under way: under steady traffic one always is.
    - A failed check holds it back until the check has passed, though a run has begun meanwhile that plans it anew.
      `all_deps_blocking_checks_passed()` would let go then, and needs checks that are `blocking`: the first of
      those that failed would fail the step of all tables, and so the run, its tables' retries and an alert with it.

    A view that was asked in the moment between a table's commit and the verdict on it is held back from then on.
    One that failed is not asked at each change but every ten minutes, and as soon as its SQL is another.

    Args:
        verdicts: the checks that hold back what is below their table.
    """
    failed = dg.AutomationCondition.check_failed()
    open_verdict = failed | dg.AutomationCondition.in_progress()
    held = _any_verdict(failed, verdicts).since(~_any_verdict(open_verdict, verdicts)).with_label("held back")
    changed = dg.AutomationCondition.code_version_changed()
    first = dg.AutomationCondition.initial_evaluation()
    news = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed()) | changed | first
    # A request is seen one tick after it was made: what is new in that very tick must not be wiped out with it.
    requested = dg.AutomationCondition.newly_requested()
    # Dagster knows a `since` again by the names of its two operands, such as OR and AND: each here has others.
    unheard = news.since(requested & ~news).with_label("tables have news")
    broken = dg.AutomationCondition.execution_failed()
    again = broken & (dg.AutomationCondition.cron_tick_passed(RETRY_CRON) | changed)
    return ((unheard & ~broken) | again) & ~held & ~dg.AutomationCondition.in_progress()


def _any_verdict(status: dg.AutomationCondition, verdicts: dg.AssetSelection) -> dg.AutomationCondition:
    return dg.AutomationCondition.any_deps_match(dg.AutomationCondition.any_checks_match(status).allow(verdicts))


def view_sensor() -> dg.AutomationConditionSensorDefinition:
    """Requests all views that a tick finds in one run.

    Not the sensor of the curated tables: what that finds in one tick becomes one run, in which a table that failed,
    or does not exist yet, would keep all views from being asked.
    """
    return dg.AutomationConditionSensorDefinition(
        "view_news",
        target=dg.AssetSelection.groups("views").without_checks(),
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        run_tags={"autocorp/trigger": "views"},
        description="Asks the views of tables that have changed, unless a check of one of them fails.",
    )
