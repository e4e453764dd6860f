"""When curated tables are brought up to date."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

import dagster as dg

TICK_SECONDS = 5
RETRY_CRON = "*/10 * * * *"
CHECK_SECONDS = 60
"""How late a scheduled check may begin."""
HOURLY = "7 * * * *"
WEEKLY = "23 2 * * 0"
"""Sunday at 02:23 UTC, when sources and people are quiet, and nothing else begins."""


def curated_condition(
    inputs: Iterable[dg.AssetKey], *, tables: Iterable[dg.AssetKey] = (), every_minutes: int | None = None
) -> dg.AutomationCondition:
    """Whenever any input has news, for all tables at once, and without what `eager()` would do wrong here.

    - All tables are asked for together, whichever has news: one Spark job of seven tables costs little more
      than one of three, and runs for some of them would queue for the one writer's slot in turns. A table
      without pending files reports that it is unchanged.
    - It waits for no input that never existed: an empty source table writes no file, a feed may never
      have been delivered.
    - It waits for no input that is under way: a first load takes minutes in which what has arrived
      already can be curated.
    - It waits for a run of any of the tables: a table is in progress no longer once the run has materialised it, and
      would be asked for alone while the others still are.
    - Only a request counts as having handled news. `eager()` also takes a materialisation for it, and
      would forget a file that arrived after the run under way had listed raw.
    - The first evaluation asks as well: what arrived before it is no news to Dagster, and a run
      without pending files costs nothing.

    What failed is tried again every ten minutes, since a cause that has gone (a full disk) makes no
    new arrival; raw keeps the files pending, so nothing else is needed.

    Args:
        inputs: raw tables and feeds.
        tables: those that are curated together.
        every_minutes: at most one request in each window of so many minutes by the clock, where runs cost money. News
            wait for the next window's beginning, and longer only for a run that is still under way then.
    """
    arrivals = [dg.AutomationCondition.asset_matches(key, dg.AutomationCondition.newly_updated()) for key in inputs]
    news = reduce(or_, arrivals, dg.AutomationCondition.initial_evaluation())
    # Seen one tick after the request: news of that very tick came after it and must not be wiped out with it.
    handled = dg.AutomationCondition.newly_requested() & ~news
    busy = reduce(
        or_,
        (dg.AutomationCondition.asset_matches(key, dg.AutomationCondition.in_progress()) for key in tables),
        dg.AutomationCondition.in_progress(),
    )
    unheard = (news.since(handled) & ~busy).with_label("raw has news")
    again = (
        dg.AutomationCondition.execution_failed() & dg.AutomationCondition.cron_tick_passed(RETRY_CRON) & ~busy
    ).with_label("failed, try again")
    return unheard | again if every_minutes is None else (unheard | again) & _open_window(every_minutes)


def _open_window(minutes: int) -> dg.AutomationCondition:
    """Nothing was requested since the clock's current window of so many minutes began."""
    # A request is seen one tick later; should the next window begin with that very tick, `since` goes by their times.
    begun = dg.AutomationCondition.cron_tick_passed(window_cron(minutes)).since(
        dg.AutomationCondition.newly_requested()
    )
    return (begun | dg.AutomationCondition.initial_evaluation()).with_label(
        f"nothing requested yet in these {minutes} minutes"
    )


def window_cron(minutes: int) -> str:
    """When windows begin: whole minutes below an hour, else whole hours."""
    if minutes < 1:
        message = f"a window of {minutes} minutes is none: set AUTOCORP_AWS_CURATE_EVERY_MINUTES to 1 or more"
        raise ValueError(message)
    return f"*/{minutes} * * * *" if minutes < 60 else f"0 */{min(round(minutes / 60), 23)} * * *"


def scheduled_check(cron: str) -> dg.AutomationCondition:
    """For a check of whole tables: once there is a table, then at its own times, and not with each run of its table.

    A check without a condition rides along with every run that the sensor of its asset requests.
    """
    exists = dg.AutomationCondition.any_deps_match(~dg.AutomationCondition.missing())
    # Asked for once, so that a check which dies waits for its time.
    first = (dg.AutomationCondition.missing() & exists).newly_true().with_label("never run, and its table is there")
    return (first | dg.AutomationCondition.cron_tick_passed(cron)) & ~dg.AutomationCondition.in_progress()


def left_to_a_schedule() -> dg.AutomationCondition:
    """For a check that a schedule runs: never. Without a condition it would ride along with every run of its table."""
    requested = dg.AutomationCondition.newly_requested()
    return (requested & ~requested).with_label("left to its schedule")


def weekly_reconciliation(checks: Iterable[dg.AssetChecksDefinition]) -> dg.ScheduleDefinition:
    """Compares all of source, exports and lake, a table after the other, in one run."""
    return dg.ScheduleDefinition(
        name="weekly_full_reconciliation",
        job=dg.define_asset_job(
            "full_reconciliation",
            selection=dg.AssetSelection.checks(*checks),
            description="Proves that nothing is lost or altered: every key of the source, and every record of every "
            "export, against the lake. Reads all of both; nothing is changed.",
            tags={"autocorp/trigger": "schedule"},
        ),
        cron_schedule=WEEKLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Sunday night: every key of the source and every record of every export against the lake.",
        tags={"autocorp/trigger": "schedule", "autocorp/occasion": "weekly"},
    )


def curated_sensor() -> dg.AutomationConditionSensorDefinition:
    """Requests all tables that a tick finds in one run."""
    return dg.AutomationConditionSensorDefinition(
        "curate_news",
        target=dg.AssetSelection.groups("curated").without_checks(),
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        run_tags={"autocorp/trigger": "news"},
        description="Curates the tables whose raw files have news, and every ten minutes those that failed.",
    )


def scheduled_checks_sensor(checks: Iterable[dg.AssetChecksDefinition]) -> dg.AutomationConditionSensorDefinition:
    """Requests checks of whole tables at their times, in runs of their own: no table waits for them."""
    return dg.AutomationConditionSensorDefinition(
        "whole_table_checks",
        target=dg.AssetSelection.checks(*checks),
        minimum_interval_seconds=CHECK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        run_tags={"autocorp/trigger": "schedule"},
        description="Runs the checks of whole tables, of all raw files and of source against lake at their times.",
    )
