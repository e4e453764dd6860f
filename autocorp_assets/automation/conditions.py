"""When curated tables are brought up to date."""

from __future__ import annotations

import dagster as dg

TICK_SECONDS = 5
RETRY_CRON = "*/10 * * * *"


def curated_condition() -> dg.AutomationCondition:
    """Eager, but it waits neither for inputs that never existed nor for ones that are under way.

    An empty source table writes no file and a feed may never have been delivered: `any_deps_missing`
    would hold the table for ever. A first load or a large transfer takes minutes, in which what has
    arrived already can be curated: `any_deps_in_progress` would hold it back.

    What failed is tried again every ten minutes, since a cause that has gone (a full disk) makes no
    new arrival; raw keeps the files pending, so nothing else is needed.
    """
    eager = (
        dg.AutomationCondition.eager()
        .without(~dg.AutomationCondition.any_deps_missing())
        .without(~dg.AutomationCondition.any_deps_in_progress())
        .with_label("raw has news")
    )
    again = (
        dg.AutomationCondition.execution_failed()
        & dg.AutomationCondition.cron_tick_passed(RETRY_CRON)
        & ~dg.AutomationCondition.in_progress()
    ).with_label("failed, try again")
    return eager | again


def curated_sensor() -> dg.AutomationConditionSensorDefinition:
    """Requests all tables that a tick finds in one run."""
    return dg.AutomationConditionSensorDefinition(
        "curate_news",
        target=dg.AssetSelection.groups("curated"),
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        run_tags={"autocorp/trigger": "news"},
        description="Curates the tables whose raw files have news, and every ten minutes those that failed.",
    )
