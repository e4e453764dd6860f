"""Until when a curated table is known to hold all that its source had committed.

The one answer behind the freshness of the UI (heartbeats), the alert, the metric and the report. It has three parts:
until when raw is known to hold everything, by what replication last said of itself and by what Dagster recorded; since
when news of raw wait to be taken in; and how old the newest change is of a backlog that is worked off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from autocorp_assets.asset_keys import curated_key, raw_feed_key, raw_table_key
from autocorp_assets.contracts.model import ServiceLevel, TableContract
from autocorp_assets.resources.ports.replication import Replication, ReplicationError, ReplicationState

RAW_SENSOR = "raw_arrivals"
GOOD_TICKS = [TickStatus.SKIPPED, TickStatus.SUCCESS]
COMPLETE_UNTIL = "complete_until"
"""Metadata of a heartbeat, and of no other materialisation."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A run that applied changes of the database."""

    at: datetime
    newest_change: datetime
    """When the source committed the newest of them."""


@dataclass(frozen=True, kw_only=True)
class TableRecord:
    """What Dagster's records say of a curated table that exists. Times are UTC."""

    last: dg.AssetMaterialization
    """Of a run, or a heartbeat."""
    storage_id: int
    at: datetime
    taken_in: datetime
    """News of raw that were reported by then are in the table."""
    heard_until: datetime | None
    """Until when raw was known to hold what the database had committed, when something last recorded it."""
    waiting_since: datetime | None
    """When the first news were reported that the table has not taken in."""
    applied: Applied | None
    """Where the last materialisation is of a run that applied changes."""

    def complete_until(self, heard: datetime | None, *, level: ServiceLevel, now: datetime) -> datetime:
        """Until when the table is complete, given until when raw is, by replication's own word if it gives one."""
        known = complete_until(
            heard=max(filter(None, (heard, self.heard_until)), default=None),
            last_run_at=self.taken_in,
            waiting_since=self.waiting_since,
            applied=self.applied,
            level=level,
            now=now,
        )
        return known or self.taken_in


def state_of(replication: Replication) -> ReplicationState:
    """Where replication stands; one that cannot be asked does not run, for that reason."""
    try:
        return replication.state()
    except ReplicationError as error:
        return ReplicationState(running=False, should_run=True, summary=str(error), remedy=str(error))


def heard_until(state: ReplicationState | None, *, now: datetime, table: str | None = None) -> datetime | None:
    """Until when raw holds all that the source had committed, by a replication that follows; None where none does.

    Args:
        state: where replication stands; None where nobody knows.
        now: the time at which that was asked.
        table: whose errors count.
    """
    if state is None or not state.running or not state.is_following or state.silent_seconds is None:
        return None
    if table in state.tables_in_error:
        return None
    return now - timedelta(seconds=state.silent_seconds)


def raw_looked_at(instance: dg.DagsterInstance) -> datetime | None:
    """When the sensor of raw last looked, and could: what replication has written since is in nobody's records.

    None where it never has; without it there are no news, and silence of raw says nothing.
    """
    states = instance.all_instigator_state() if instance.schedule_storage else ()
    state = next((one for one in states if one.instigator_name == RAW_SENSOR), None)
    if state is None:
        return None
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1, statuses=GOOD_TICKS)
    return _time(ticks[0].timestamp) if ticks else None


def complete_until(
    *,
    heard: datetime | None,
    last_run_at: datetime | None,
    waiting_since: datetime | None,
    applied: Applied | None,
    level: ServiceLevel,
    now: datetime,
) -> datetime | None:
    """Until when a table that exists is complete: with nothing waiting it is so as long as raw, quiet source or not.

    Args:
        heard: until when raw is known to hold what the database had committed.
        last_run_at: when a run last took in all that was in raw; it counts where the former is not known.
        waiting_since: since when raw has something that the table has not.
        applied: the last run that applied changes.
        level: the minutes at which the table is late.
        now: the time of asking.
    """
    until = heard or last_run_at
    if until and waiting_since:
        until = min(until, waiting_since)
    late = timedelta(minutes=level.warn_minutes)
    # What arrives now and is old already: replication works off a backlog, and following is not being there.
    if until and applied and now - applied.at < late < applied.at - applied.newest_change:
        until = min(until, applied.newest_change)
    return until


def read_record(instance: dg.DagsterInstance, contract: TableContract) -> TableRecord | None:
    """Half a dozen indexed look-ups; None before the table's first materialisation."""
    found = instance.fetch_materializations(curated_key(contract.name), limit=1).records
    if not found or (last := found[0].asset_materialization) is None:
        return None
    at = _time(found[0].timestamp)
    beat = heartbeat_time(last)
    taken_in = max(
        beat or _began(instance, found[0]), _last_look(instance, contract) or datetime.min.replace(tzinfo=UTC)
    )
    arrived = instance.fetch_materializations(raw_table_key(contract.name), limit=1).records
    lag = last.metadata.get("lag_seconds")
    return TableRecord(
        last=last,
        storage_id=found[0].storage_id,
        at=at,
        taken_in=taken_in,
        heard_until=max(filter(None, (beat, _time(arrived[0].timestamp) if arrived else None)), default=None),
        waiting_since=waiting_since(instance, contract, after=taken_in),
        applied=(
            Applied(at=at, newest_change=at - timedelta(seconds=lag.value))
            if lag is not None and isinstance(lag.value, int | float)
            else None
        ),
    )


def waiting_since(instance: dg.DagsterInstance, contract: TableContract, *, after: datetime | None) -> datetime | None:
    """When the first news of a table's inputs were reported after that time; of all times where it is None."""
    inputs = [raw_table_key(contract.name), *([raw_feed_key(contract.csv_feed.name)] if contract.csv_feed else [])]
    found = [
        record.timestamp
        for key in inputs
        for record in instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, after_timestamp=after.timestamp() if after else None),
            limit=1,
            ascending=True,
        ).records
    ]
    return _time(min(found)) if found else None


def heartbeat_time(event: dg.AssetMaterialization) -> datetime | None:
    """Until when the table was complete by this heartbeat; None for what a run has materialised."""
    value = event.metadata.get(COMPLETE_UNTIL)
    return _time(value.value) if isinstance(value, dg.TimestampMetadataValue) else None


def _last_look(instance: dg.DagsterInstance, contract: TableContract) -> datetime | None:
    """When a run last began that found nothing pending, and did not call the table fresh for it."""
    found = instance.fetch_observations(curated_key(contract.name), limit=1).records
    return _began(instance, found[0]) if found else None


def _began(instance: dg.DagsterInstance, record: dg.EventLogRecord) -> datetime:
    """When its run did: news that came while the run was under way may have missed its plan."""
    run = instance.get_run_record_by_id(record.run_id) if record.run_id else None
    return _time((run.start_time if run else None) or record.timestamp)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
