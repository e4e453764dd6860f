"""Numbers about the tables, for CloudWatch: what Dagster's own instance knows, without a look at S3."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from autocorp_assets.asset_keys import curated_key, raw_feed_key, raw_table_key
from autocorp_assets.checks.reconciliation import RECONCILIATION
from autocorp_assets.checks.results import last_evaluation
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.resources.ports import Measurement, Metrics

TICK_SECONDS = 5 * 60
MOST_MATERIALIZATIONS = 1000
"""Of one table in one tick; what is beyond comes with the next."""
FRESHNESS = "Freshness"
ROWS_APPLIED = "RowsApplied"
ROWS_QUARANTINED = "RowsQuarantined"
DIFFERENCES = "ReconciliationDifferences"
ROWS = {ROWS_APPLIED: "rows_applied", ROWS_QUARANTINED: "rows_quarantined"}
"""Metadata of a materialisation by the metric that it is added to."""


@dataclass(frozen=True, kw_only=True)
class Curation:
    """The last materialisation of a table."""

    storage_id: int
    began: float
    """When its run did, in seconds of the epoch: what raw had by then was taken in."""


def platform_metrics_sensor(contracts: Iterable[TableContract]) -> dg.SensorDefinition:
    """Publishes every five minutes, by table:

    - `Freshness`, in seconds: how long the oldest file that raw is known to hold has waited to be in the curated
      table; 0 while none waits. A table whose source is quiet is fresh, and one whose runs fail grows stale by a
      second a second. The service level of 15 minutes from a commit in the source is this plus what is before raw:
      DMS's own `CDCLatencyTarget`, and the seconds until raw's news is heard of. A table that is not fresh after 900
      seconds has broken it whatever DMS says.
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
    def platform_metrics(context: dg.SensorEvaluationContext, metrics: dg.ResourceParam[Metrics]) -> dg.SensorResult:
        published: Mapping[str, int] = json.loads(context.cursor) if context.cursor else {}
        measurements: list[Measurement] = []
        cursor = dict(published)
        for contract in tables:
            measurements += _standing(context.instance, contract)
            found, newest = _rows(context.instance, contract.name, published.get(contract.name))
            measurements += found
            if newest is not None:
                cursor[contract.name] = newest
        if measurements:
            metrics.publish(measurements)
        said = f"{len(measurements)} values published" if measurements else "no table has anything to measure yet"
        return dg.SensorResult(skip_reason=said, cursor=json.dumps(cursor))

    return platform_metrics


def waiting_seconds(instance: dg.DagsterInstance, contract: TableContract, *, now: float) -> float | None:
    """How long the oldest raw file that the table has not taken in has been known; None before there is any file."""
    last = last_curation(instance, contract.name)
    inputs = [raw_table_key(contract.name), *([raw_feed_key(contract.csv_feed.name)] if contract.csv_feed else [])]
    waiting = [at for key in inputs if (at := _first_news(instance, key, since=last.began if last else None))]
    if waiting:
        return max(0.0, now - min(waiting))
    return None if last is None else 0.0


def last_curation(instance: dg.DagsterInstance, table: str) -> Curation | None:
    records = instance.fetch_materializations(curated_key(table), limit=1).records
    if not records:
        return None
    record = records[0]
    # News that came while the run was under way may have missed its plan.
    run = instance.get_run_record_by_id(record.run_id) if record.run_id else None
    return Curation(storage_id=record.storage_id, began=(run.start_time if run else None) or record.timestamp)


def _first_news(instance: dg.DagsterInstance, key: dg.AssetKey, *, since: float | None) -> float | None:
    wanted = dg.AssetRecordsFilter(asset_key=key, after_timestamp=since)
    records = instance.fetch_materializations(wanted, limit=1, ascending=True).records
    return records[0].timestamp if records else None


def _standing(instance: dg.DagsterInstance, contract: TableContract) -> Iterator[Measurement]:
    waiting = waiting_seconds(instance, contract, now=time.time())
    if waiting is not None:
        yield Measurement(name=FRESHNESS, value=waiting, unit="Seconds", table=contract.name)
    evaluation = last_evaluation(instance, dg.AssetCheckKey(curated_key(contract.name), RECONCILIATION))
    # A comparison that could not be made has none, and says nothing of the table.
    differences = evaluation.metadata.get("differences") if evaluation else None
    if differences is not None:
        yield Measurement(name=DIFFERENCES, value=_number(differences.value), unit="Count", table=contract.name)


def _rows(instance: dg.DagsterInstance, table: str, published: int | None) -> tuple[list[Measurement], int | None]:
    """Rows of materialisations since the one that was published last, and the newest of them."""
    if published is None:
        last = last_curation(instance, table)
        return [], last.storage_id if last else 0
    wanted = dg.AssetRecordsFilter(asset_key=curated_key(table), after_storage_id=published)
    records = instance.fetch_materializations(wanted, limit=MOST_MATERIALIZATIONS, ascending=True).records
    if not records:
        return [], None
    metadata = [record.asset_materialization.metadata for record in records if record.asset_materialization]
    counts = {name: sum(_number(one[key].value) for one in metadata if key in one) for name, key in ROWS.items()}
    found = [Measurement(name=name, value=count, unit="Count", table=table) for name, count in counts.items()]
    return found, records[-1].storage_id


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
