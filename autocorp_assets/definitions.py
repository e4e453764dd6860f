"""The Dagster code location: every asset, check and sensor, for the deployment that the settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import dagster as dg

from autocorp_assets.asset_keys import curated_key, raw_feed_key, raw_table_key
from autocorp_assets.automation.alerts import run_failures_sensor
from autocorp_assets.automation.arrivals import raw_arrivals_sensor
from autocorp_assets.automation.conditions import (
    HOURLY,
    curated_condition,
    curated_sensor,
    scheduled_check,
    scheduled_checks_sensor,
    weekly_reconciliation,
)
from autocorp_assets.automation.forgetting import forgetting_sensor
from autocorp_assets.automation.freshness import freshness_sensor
from autocorp_assets.automation.lag import lag_sensor
from autocorp_assets.automation.metrics import platform_metrics_sensor
from autocorp_assets.automation.pace import pace_of
from autocorp_assets.automation.raw_crawler import raw_crawler_sensor
from autocorp_assets.automation.transfers import (
    ended_transfers_sensor,
    hourly_transfers,
    missed_transfers,
    transfer_sensor,
)
from autocorp_assets.automation.up_to_date import up_to_date_checks
from autocorp_assets.automation.view_conditions import view_condition, view_sensor
from autocorp_assets.automation.watch import dead_runs, replication_status
from autocorp_assets.checks.accounting import accounting_checks
from autocorp_assets.checks.catalog import catalog_checks
from autocorp_assets.checks.curated import VERDICTS, check_specs
from autocorp_assets.checks.full_reconciliation import full_reconciliation_checks
from autocorp_assets.checks.lag import lag_checks
from autocorp_assets.checks.order_arithmetic import order_arithmetic_checks
from autocorp_assets.checks.raw import raw_table_checks
from autocorp_assets.checks.reconciliation import reconciliation_checks
from autocorp_assets.checks.references import reference_checks
from autocorp_assets.checks.unique_keys import unique_key_checks
from autocorp_assets.checks.whole_table_rules import whole_table_rule_checks
from autocorp_assets.contracts import FEEDS, TABLE_BY_FEED, TABLES
from autocorp_assets.curated.requests import rebuild_job, replay_job
from autocorp_assets.curated.tables import curated_tables
from autocorp_assets.deployments import deployment_resources
from autocorp_assets.raw.csv import raw_feed
from autocorp_assets.raw.database import raw_database
from autocorp_assets.raw.specs import landing_spec, source_spec
from autocorp_assets.settings import Settings
from autocorp_assets.views.assets import view_assets

if TYPE_CHECKING:
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.resources.ports.arrival_events import ArrivalEvents
    from autocorp_assets.resources.ports.transfer import Transfer

RAW_KEYS = [*map(raw_table_key, TABLES), *map(raw_feed_key, FEEDS)]


def definitions(
    settings: Settings,
    *,
    resources: Mapping[str, object] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    scheduled_checks: bool = True,
) -> dg.Definitions:
    """The whole platform, with the deployment's own resources unless others are given.

    Without `scheduled_checks`, a run that selects tables does not select the checks of whole tables with them.
    """
    full = full_reconciliation_checks(TABLES)
    apart, of_raw = [*checks_apart(settings), *full], raw_table_checks(TABLES, condition=scheduled_check(HOURLY))
    apart_keys = [key for check in apart for key in check.check_keys]
    own_checks = [spec.key for contract in TABLES.values() for spec in check_specs(contract)]
    window = settings.aws.curate_every_minutes if settings.deployment == "aws" else None
    is_aws = settings.deployment == "aws"
    deployed = resources or deployment_resources(settings)
    return dg.Definitions(
        assets=[
            *(source_spec(contract) for contract in TABLES.values()),
            *(landing_spec(feed, TABLE_BY_FEED[name]) for name, feed in FEEDS.items()),
            raw_database(TABLES),
            *(raw_feed(feed, TABLE_BY_FEED[name]) for name, feed in FEEDS.items()),
            curated_tables(
                TABLES,
                condition=curated_condition(RAW_KEYS, tables=map(curated_key, TABLES), every_minutes=window),
                checks_apart=apart_keys,
            ),
            view_assets(condition=view_condition(table_verdicts())),
        ],
        asset_checks=[of_raw, *([*apart, lag_checks(TABLES)] if scheduled_checks else [])],
        sensors=[
            *_sensors(settings, deployed, [*own_checks, *apart_keys]),
            *(
                [scheduled_checks_sensor([of_raw, *apart]), lag_sensor(TABLES.values(), pace=pace_of(settings))]
                if scheduled_checks
                else []
            ),
        ],
        jobs=[replay_job(TABLES.values()), rebuild_job(TABLES.values())],
        schedules=[
            hourly_transfers() if is_aws else missed_transfers(FEEDS),
            *([weekly_reconciliation(full)] if scheduled_checks else []),
        ],
        resources=deployed,
        loggers=loggers,
        # A process for each step would cost seconds of imports and gain nothing: Spark is a process of its own.
        executor=dg.in_process_executor,
    )


def _sensors(
    settings: Settings, deployed: Mapping[str, object], checks: Sequence[dg.AssetCheckKey]
) -> list[dg.SensorDefinition]:
    """Those of every code location; `checks` of curated tables are told again with heartbeats."""
    pace, is_aws = pace_of(settings), settings.deployment == "aws"
    events = cast("ArrivalEvents | None", deployed.get("arrival_events"))
    return [
        raw_arrivals_sensor(TABLES, lake=cast("LakeStorage", deployed["lake"]), events=events, pace=pace),
        transfer_sensor(FEEDS, transfer=cast("Transfer", deployed["transfer"]), pace=pace),
        *([ended_transfers_sensor(FEEDS)] if is_aws else []),
        curated_sensor(),
        view_sensor(),
        replication_status,
        freshness_sensor(TABLES.values(), checks, ui_url=settings.ui_url, pace=pace),
        # Of a shared instance the runs' processes are on other machines.
        *([] if settings.shared_dagster_home else [dead_runs]),
        run_failures_sensor(settings.ui_url),
        forgetting_sensor(owns_files=not settings.shared_dagster_home),
        *([platform_metrics_sensor(TABLES.values()), raw_crawler_sensor(RAW_KEYS)] if is_aws else []),
    ]


def table_verdicts() -> dg.AssetSelection:
    """The checks of curated tables that hold back the views of their table."""
    return dg.AssetSelection.checks(
        *(dg.AssetCheckKey(curated_key(table), name) for table in TABLES for name in VERDICTS)
    )


def checks_apart(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Checks that do not run with their tables: of whole tables, of raw's listing, of what needs no run."""
    hourly = scheduled_check(HOURLY)
    return [
        *accounting_checks(TABLES, condition=hourly),
        *reference_checks(TABLES, condition=hourly),
        *unique_key_checks(TABLES, condition=hourly),
        *whole_table_rule_checks(TABLES, condition=hourly),
        *order_arithmetic_checks(TABLES, condition=hourly),
        catalog_checks(TABLES, condition=hourly),
        *reconciliation_checks(TABLES),
        *up_to_date_checks(TABLES, ui_url=settings.ui_url, condition=hourly),
    ]


defs = definitions(Settings())
