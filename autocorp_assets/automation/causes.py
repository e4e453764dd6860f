"""Why tables are late, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.alerts import step_cause
from autocorp_assets.automation.completeness import RAW_SENSOR, TableRecord, heard_until
from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.ports.replication import ReplicationState

RUNS_READ = 50
"""Among which a run of the tables is looked for."""
LATE = timedelta(minutes=5)
"""What is younger explains no alert."""
START = "Start it with `autocorp dev`, or bring all tables up to date once with `autocorp sync`"


def late_tables_text(
    instance: dg.DagsterInstance,
    records: Mapping[str, TableRecord],
    state: ReplicationState,
    *,
    ui_url: str,
    now: datetime,
    looked_at: datetime | None = None,
) -> str:
    """Each cause with its remedy: of replication, of the sensor of raw, and of runs that leave files behind."""
    causes = [_of_replication(state, now)] if _is_behind(state, records, now) else []
    if looked_at and now - looked_at >= LATE:
        causes.append(
            f"Nobody has looked at raw since {looked_at:%H:%M} UTC: sensor `{RAW_SENSOR}` is off or fails. Turn it on, "
            f"or see why its ticks fail: {ui_url}/automation. What has arrived meanwhile is taken in then."
        )
    waiting = {name: one.waiting_since for name, one in records.items() if one.waiting_since}
    waiting = {name: since for name, since in waiting.items() if now - since >= LATE}
    if waiting:
        causes.append(_of_runs(instance, sorted(waiting), min(waiting.values()), ui_url))
    backlog = [one.applied for one in records.values() if one.applied and now - one.applied.newest_change >= LATE]
    if backlog and not causes:
        newest = max(applied.newest_change for applied in backlog)
        causes.append(
            f"Replication works off a backlog: the newest change that has arrived was committed at {newest:%H:%M} UTC. "
            "Nothing has to be done as long as that time moves on; sensor `replication_status` tells how it stands."
        )
    return "\n\n".join(causes) or "What has held them up is over: they are about to be brought up to date."


def _is_behind(state: ReplicationState, records: Mapping[str, TableRecord], now: datetime) -> bool:
    heard = heard_until(state, now=now)
    return heard is None or now - heard >= LATE or any(name in state.tables_in_error for name in records)


def _of_replication(state: ReplicationState, now: datetime) -> str:
    if not state.running:
        return f"Nothing arrives: replication does not run ({state.summary}). {state.remedy or START}."
    if state.tables_in_error:
        return (
            f"{', '.join(state.tables_in_error)}: in error while the other tables go on ({state.summary}). Materialise "
            "the raw table with `reload: true` once the cause in the log of replication is mended."
        )
    if not state.is_following:
        return (
            f"Nothing arrives: replication runs and does not follow the source ({state.summary}). "
            f"{state.remedy or 'Mend what it says of the source; it goes on by itself then'}."
        )
    heard = heard_until(state, now=now) or now
    if state.lag_seconds is not None and state.lag_seconds >= LATE.total_seconds():
        return (
            f"Replication is {state.lag_seconds / 60:,.0f} minutes behind its source ({state.summary}). Look for a "
            "long transaction in the source, and for what the replication instance lacks: memory, disk, a larger class."
        )
    return (
        f"Nothing arrives: replication has not said a word since {heard:%H:%M:%S} UTC ({state.summary}). "
        f"{state.remedy or 'What does it hangs: end it and start it again'}."
    )


def _of_runs(instance: dg.DagsterInstance, tables: list[str], since: datetime, ui_url: str) -> str:
    told = f"Files for {', '.join(tables)} wait in raw since {since:%H:%M} UTC"
    pressed = (
        f"press Materialize on {', '.join(f'`curated/{name}`' for name in tables)} in the UI, or run "
        f"`autocorp sync{''.join(f' --table {name}' for name in tables) if len(tables) < len(TABLES) else ''}`"
    )
    record = _newest_run(instance, tables)
    # News that came while a run was under way are taken in by the next.
    is_of_them = record is not None and (not record.dagster_run.is_finished or _created(record) >= since)
    if record is None or not is_of_them:
        return (
            f"{told}, and no run has taken them up. Look under Automation in the UI whether sensor `curate_news` is on "
            f"and its ticks are well, then {pressed}."
        )
    run = record.dagster_run
    page = f"its page: {ui_url}/runs/{run.run_id}"
    if not run.is_finished:
        return (
            f"{told}; run {run.run_id[:8]} of {_created(record):%H:%M} UTC, which takes them up, is "
            f"{run.status.value.lower()}. What it waits for or is busy with, and how to stop it, tells {page}"
        )
    if run.status is dg.DagsterRunStatus.SUCCESS:
        return f"{told}, though run {run.run_id[:8]} has succeeded since. See what it found, then {pressed}; {page}"
    kinds = {dg.DagsterEventType.STEP_FAILURE}
    events = [log.dagster_event for log in instance.all_logs(run.run_id, of_type=kinds) if log.dagster_event]
    reasons = "\n".join(map(step_cause, events)) or "it ended without a word"
    return (
        f"{told}: run {run.run_id[:8]} has ended as {run.status.value.lower()}:\n{reasons}\nIt is tried again every "
        f"ten minutes. Once the cause is mended, {pressed}; {page}"
    )


def _newest_run(instance: dg.DagsterInstance, tables: list[str]) -> dg.RunRecord | None:
    keys = {curated_key(name) for name in tables}
    records = instance.get_run_records(limit=RUNS_READ)
    return next((one for one in records if keys & set(one.dagster_run.asset_selection or ())), None)


def _created(record: dg.RunRecord) -> datetime:
    return record.create_timestamp.replace(tzinfo=record.create_timestamp.tzinfo or UTC)
