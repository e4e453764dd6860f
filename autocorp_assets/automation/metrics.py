"""Numbers about the tables, for CloudWatch: what Dagster's own instance and replication know, without a look at S3."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.completeness import heard_until, read_record, waiting_since
from autocorp_assets.checks.reconciliation import RECONCILIATION
from autocorp_assets.checks.results import last_evaluation
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.resources.ports.metrics import Measurement, Metrics
from autocorp_assets.resources.ports.replication import Replication, ReplicationError, ReplicationState

TICK_SECONDS = 5 * 60
MOST_MATERIALIZATIONS = 1000
"""Of one table in one tick; what is beyond comes with the next."""
FRESHNESS = "Freshness"
ROWS_APPLIED = "RowsApplied"
ROWS_QUARANTINED = "RowsQuarantined"
DIFFERENCES = "ReconciliationDifferences"
ROWS = {ROWS_APPLIED: "rows_applied", ROWS_QUARANTINED: "rows_quarantined"}
"""Metadata of a materialisation by the metric that it is added to."""


def platform_metrics_sensor(contracts: Iterable[TableContract]) -> dg.SensorDefinition:
    """Publishes every five minutes, by table:

    - `Freshness`, in seconds: how long ago the table was last known to hold all that its source had committed, as
      `completeness` knows it: the lag of replication counts, and so do its silence and files that wait in raw. A table
      whose source is quiet is fresh; beyond 900 seconds the service level is broken.
    - `RowsApplied`, `RowsQuarantined`: of the runs that have ended since the last tick.
    - `ReconciliationDifferences`: of the last comparison with the source that could be made.

    The cursor holds the last materialisation that was published of each table. It moves on only once CloudWatch has
    the values, so a failed tick is repeated; the first tick publishes no rows.
    """
    tables = tuple(contracts)

    @dg.sensor(
        name="platform_metrics",
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Publishes freshness, rows and reconciliation differences of each table to CloudWatch.",
    )
    def platform_metrics(
        context: dg.SensorEvaluationContext,
        metrics: dg.ResourceParam[Metrics],
        replication: dg.ResourceParam[Replication],
    ) -> dg.SensorResult:
        published: Mapping[str, int] = json.loads(context.cursor) if context.cursor else {}
        measurements: list[Measurement] = []
        cursor = dict(published)
        now, state = datetime.now(UTC), _state(context, replication)
        for contract in tables:
            measurements += _standing(context.instance, contract, state, now)
            found, newest = _rows(context.instance, contract.name, published.get(contract.name))
            measurements += found
            if newest is not None:
                cursor[contract.name] = newest
        if measurements:
            metrics.publish(measurements)
        said = f"{len(measurements)} values published" if measurements else "no table has anything to measure yet"
        return dg.SensorResult(skip_reason=said, cursor=json.dumps(cursor))

    return platform_metrics


def stale_seconds(
    instance: dg.DagsterInstance, contract: TableContract, state: ReplicationState | None, *, now: datetime
) -> float | None:
    """How old the table is; how long its first file has waited before it exists; None before there is any file."""
    record = read_record(instance, contract)
    if record is None:
        until = waiting_since(instance, contract, after=None)
    else:
        heard = heard_until(state, now=now, table=contract.name)
        until = record.complete_until(heard, level=contract.service_level, now=now)
    return None if until is None else max(0.0, (now - until).total_seconds())


def _standing(
    instance: dg.DagsterInstance, contract: TableContract, state: ReplicationState | None, now: datetime
) -> Iterator[Measurement]:
    stale = stale_seconds(instance, contract, state, now=now)
    if stale is not None:
        yield Measurement(name=FRESHNESS, value=stale, unit="Seconds", table=contract.name)
    evaluation = last_evaluation(instance, dg.AssetCheckKey(curated_key(contract.name), RECONCILIATION))
    # A comparison that could not be made has none, and says nothing of the table.
    differences = evaluation.metadata.get("differences") if evaluation else None
    if differences is not None:
        yield Measurement(name=DIFFERENCES, value=_number(differences.value), unit="Count", table=contract.name)


def _rows(instance: dg.DagsterInstance, table: str, published: int | None) -> tuple[list[Measurement], int | None]:
    """Rows of materialisations since the one that was published last, and the newest of them."""
    if published is None:
        last = instance.fetch_materializations(curated_key(table), limit=1).records
        return [], last[0].storage_id if last else 0
    wanted = dg.AssetRecordsFilter(asset_key=curated_key(table), after_storage_id=published)
    records = instance.fetch_materializations(wanted, limit=MOST_MATERIALIZATIONS, ascending=True).records
    if not records:
        return [], None
    metadata = [record.asset_materialization.metadata for record in records if record.asset_materialization]
    counts = {name: sum(_number(one[key].value) for one in metadata if key in one) for name, key in ROWS.items()}
    found = [Measurement(name=name, value=count, unit="Count", table=table) for name, count in counts.items()]
    return found, records[-1].storage_id


def _state(context: dg.SensorEvaluationContext, replication: Replication) -> ReplicationState | None:
    """None where it cannot be asked: what was recorded before then tells how old tables are."""
    try:
        return replication.state()
    except ReplicationError as error:
        context.log.error(str(error))
        return None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
