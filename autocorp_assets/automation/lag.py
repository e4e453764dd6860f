"""The sensor that has the `lag` checks of raw told, without a run: a run would cost more than the answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import dagster as dg

from autocorp_assets.asset_keys import raw_table_key
from autocorp_assets.automation.pace import LOCAL, Pace
from autocorp_assets.checks.lag import look_at_lag
from autocorp_assets.checks.raw import raw_check_specs
from autocorp_assets.checks.results import report_result, told_without_a_run
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.resources.ports.replication import Replication

TOLD_AGAIN_AFTER = timedelta(minutes=15)
"""A result that has not changed: often enough for a plot of the lag, and some 700 events a day over all tables."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was told last, kept in the sensor's cursor."""

    at: float = 0.0
    """When all results were, in seconds of the epoch."""
    failing: tuple[str, ...] = ()

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        if not cursor:
            return cls()
        value = json.loads(cursor)
        return cls(at=value["at"], failing=tuple(value["failing"]))

    def text(self) -> str:
        return json.dumps(asdict(self))


def lag_sensor(contracts: Iterable[TableContract], *, pace: Pace = LOCAL) -> dg.SensorDefinition:
    """Reports a result at once when it changes, and all of them now and then."""
    tables = tuple(contracts)

    @dg.sensor(
        name="replication_lag",
        minimum_interval_seconds=pace.lag_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says how far raw is behind the source, and reports it as the check `lag` of each raw table.",
    )
    def replication_lag(
        context: dg.SensorEvaluationContext, replication: dg.ResourceParam[Replication]
    ) -> dg.SensorResult:
        told, said = tell_lag(context.instance, tables, replication, Told.read(context.cursor), now=datetime.now(UTC))
        return dg.SensorResult(skip_reason=said, cursor=told.text())

    return replication_lag


def tell_lag(
    instance: dg.DagsterInstance,
    contracts: Sequence[TableContract],
    replication: Replication,
    before: Told,
    *,
    now: datetime,
) -> tuple[Told, str]:
    """Reports what is due; what has been told then, and a line for people."""
    results = {contract.name: found for contract, found in look_at_lag(instance, contracts, replication, now=now)}
    failing = tuple(name for name, found in results.items() if not found.passed)
    is_due = now.timestamp() - before.at >= TOLD_AGAIN_AFTER.total_seconds()
    for name, found in results.items():
        if is_due or (name in failing) != (name in before.failing):
            report_result(instance, found)
    for contract in contracts:
        _tell_raw_checks(instance, contract)
    said = "; ".join(sorted({str(found.description) for found in results.values()}))
    return Told(at=now.timestamp() if is_due else before.at, failing=failing), said


def _tell_raw_checks(instance: dg.DagsterInstance, contract: TableContract) -> None:
    """What the hourly checks of a raw table last came to, once after what arrives without a run."""
    newest = instance.fetch_materializations(raw_table_key(contract.name), limit=1).records
    if newest and not newest[0].run_id:
        keys = [spec.key for spec in raw_check_specs(contract)]
        for evaluation in told_without_a_run(instance, keys, newest[0]):
            instance.report_runless_asset_event(evaluation)
