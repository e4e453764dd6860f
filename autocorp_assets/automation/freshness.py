"""Heartbeats of quiet tables, and the alert on stale ones.

Dagster judges a table by the time of its last materialisation. A source in which nothing happens brings none, and
neither does a pipe that is broken. So as long as replication says that it follows, and nothing waits in raw, a table is
reported materialised every few minutes as it stands: the heartbeat. A silent pipe has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.causes import late_tables_text
from autocorp_assets.automation.completeness import (
    COMPLETE_UNTIL,
    TableRecord,
    heard_until,
    heartbeat_time,
    raw_looked_at,
    read_record,
    state_of,
)
from autocorp_assets.automation.pace import LOCAL, Pace
from autocorp_assets.automation.staleness import Decision, Memory, Standing, age_text, decide
from autocorp_assets.automation.up_to_date import Moment, changed_verdicts
from autocorp_assets.checks.results import report_result, told_without_a_run
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.resources.ports.alerts import Alerts
from autocorp_assets.resources.ports.replication import Replication, ReplicationState

HEARTBEAT_AFTER = timedelta(minutes=8)
"""With a tick it comes before the warning, at ten minutes; 180 a day of some 4 KB for a table without changes."""
SAME_WORD = timedelta(seconds=5)
"""Far below the time between two looks, and far above what asking takes."""
NOTHING_HAPPENED = "Nothing has happened in the source"
STANDING_METADATA = ("commit", "dagster/row_count", "bytes", "data_files", "path")
"""What a table is, whatever a run did to it: the UI's overview shows the last materialisation."""
NO_TABLE = "no table has been materialised yet"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at all tables came to."""

    heartbeats: Mapping[str, dg.AssetMaterialization]
    """By table, of those that need one."""
    decision: Decision
    standings: Mapping[str, Standing]
    records: Mapping[str, TableRecord]
    looked_at: datetime | None = None
    """When the sensor of raw last looked."""

    def told(self, now: datetime) -> str:
        """Each table's age, in one line."""
        ages = ", ".join(f"{name} {age_text(one.age(now))}" for name, one in self.standings.items())
        return f"behind the source by at most: {ages}" if ages else NO_TABLE


def freshness_sensor(
    contracts: Iterable[TableContract],
    checks: Iterable[dg.AssetCheckKey],
    *,
    ui_url: str,
    pace: Pace = LOCAL,
) -> dg.SensorDefinition:
    """Reports heartbeats, and sends one alert when tables are stale and one when they are fresh again.

    The cursor holds what people have been told, so that neither a tick nor a restart tells it again.

    Args:
        contracts: of the curated tables.
        checks: of these tables, whose results a heartbeat tells again.
        ui_url: where people open Dagster's UI.
        pace: how often it looks.
    """
    tables = tuple(contracts)
    keys = tuple(checks)

    @dg.sensor(
        name="freshness",
        minimum_interval_seconds=pace.freshness_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says how old each table is. Keeps tables of a quiet source fresh, and tells people once when "
        "tables are stale, why and what to do, and once when it is over.",
    )
    def freshness(
        context: dg.SensorEvaluationContext,
        replication: dg.ResourceParam[Replication],
        alerts: dg.ResourceParam[Alerts],
    ) -> dg.SensorResult:
        now, state = datetime.now(UTC), state_of(replication)
        looked, memory = raw_looked_at(context.instance), Memory.from_json(context.cursor)
        found = look(context.instance, tables, state, memory, pace=pace, now=now, looked_at=looked)
        for beat in found.heartbeats.values():
            report_heartbeat(context.instance, beat, keys)
        moment = Moment(now=now, state=state, looked_at=looked, ui_url=ui_url)
        for shown in changed_verdicts(context.instance, found.standings, found.records, moment):
            report_result(context.instance, shown)
        for subject, text in messages(context.instance, found, state, ui_url=ui_url, now=now):
            alerts.send(subject=subject, text=text)
        return dg.SensorResult(skip_reason=found.told(now), cursor=found.decision.memory.to_json())

    return freshness


def look(
    instance: dg.DagsterInstance,
    contracts: Iterable[TableContract],
    state: ReplicationState,
    before: Memory,
    *,
    pace: Pace,
    now: datetime,
    looked_at: datetime | None = None,
) -> Look:
    """How tables stand, which of them need a heartbeat, and who is to be told.

    Args:
        instance: has the tables' records.
        contracts: of the tables.
        state: where replication stands.
        before: what was known after the last look.
        pace: of the deployment.
        now: the time of this look.
        looked_at: when the sensor of raw last looked; None where none does.
    """
    word = heard_until(state, now=now)
    memory = before.looking(now, word)
    # It hangs, or has died since the last look: what it said last is recorded, so that ages count from there.
    is_last_word = word is None or (_is_same(word, before.heard_until) and now - word > _silence(pace) / 3)
    records = {one.name: record for one in contracts if (record := read_record(instance, one))}
    standings: dict[str, Standing] = {}
    heartbeats: dict[str, dg.AssetMaterialization] = {}
    for contract in contracts:
        if (record := records.get(contract.name)) is None:
            continue
        heard = None if contract.name in state.tables_in_error else memory.heard_until
        # What was written a moment ago is reported by a tick of the sensor on raw.
        known = heard - timedelta(seconds=pace.tick_seconds) if heard else None
        if known and looked_at:
            known = min(known, looked_at)
        complete = record.complete_until(known, level=contract.service_level, now=now)
        standings[contract.name] = Standing(complete_until=complete, level=contract.service_level)
        is_due = now - record.at >= HEARTBEAT_AFTER or (is_last_word and record.at < complete)
        if is_due and record.waiting_since is None and complete > record.taken_in and now - complete <= _silence(pace):
            heartbeats[contract.name] = heartbeat(contract, record, complete)
    return Look(
        looked_at=looked_at,
        heartbeats=heartbeats,
        decision=decide(memory, standings, now=now, is_stopped_on_purpose=not (state.running or state.should_run)),
        standings=standings,
        records=records,
    )


def heartbeat(contract: TableContract, record: TableRecord, complete: datetime) -> dg.AssetMaterialization:
    """The table as it was, now: with its data version, so that nothing follows from it."""
    return dg.AssetMaterialization(
        asset_key=curated_key(contract.name),
        description=NOTHING_HAPPENED,
        metadata={
            **{name: value for name, value in record.last.metadata.items() if name in STANDING_METADATA},
            COMPLETE_UNTIL: dg.MetadataValue.timestamp(complete),
        },
        tags=record.last.tags,
    )


def report_heartbeat(
    instance: dg.DagsterInstance, beat: dg.AssetMaterialization, checks: Sequence[dg.AssetCheckKey]
) -> None:
    """With what the checks of its table last came to, which still holds.

    Dagster counts a result for the newest materialisation only, so without it a finding would be out of sight, and no
    longer hold back the views. Not among the events of the sensor's result: a result of a check names the
    materialisation that it is of.
    """
    instance.report_runless_asset_event(beat)
    newest = instance.fetch_materializations(beat.asset_key, limit=1).records[0]
    # A run may have been quicker; its own checks follow.
    if newest.asset_materialization and heartbeat_time(newest.asset_materialization):
        own = [key for key in checks if key.asset_key == beat.asset_key]
        for evaluation in told_without_a_run(instance, own, newest):
            instance.report_runless_asset_event(evaluation)


def messages(
    instance: dg.DagsterInstance, found: Look, state: ReplicationState, *, ui_url: str, now: datetime
) -> Iterator[tuple[str, str]]:
    """Subject and text of what people are told now."""
    decision = found.decision
    for tables, others in ((decision.opened, ""), (decision.joined, "more ")):
        if tables:
            records = {name: found.records[name] for name in tables}
            text = late_tables_text(
                instance, records, state, ui_url=ui_url.rstrip("/"), now=now, looked_at=found.looked_at
            )
            yield (
                f"AutoCorp: {_count(tables, others)} out of date",
                "\n\n".join([_ages(tables, found.standings, now), text, f"The tables: {ui_url.rstrip('/')}/assets"]),
            )
    if over := decision.over:
        lasted = age_text(now - over.behind_since)
        yield (
            f"Over: AutoCorp: {_count(over.tables)} out of date",
            f"All tables are up to date again at {now:%H:%M} UTC. {', '.join(over.tables)} had been behind since "
            f"{over.behind_since:%Y-%m-%d %H:%M} UTC, for {lasted}; it was told at {over.told_at:%H:%M} UTC.",
        )


def _ages(tables: Sequence[str], standings: Mapping[str, Standing], now: datetime) -> str:
    lines = [
        f"- {name}: not known to be complete since {one.complete_until:%Y-%m-%d %H:%M:%S} UTC, for "
        f"{age_text(one.age(now))}; allowed are {one.level.fail_minutes} min"
        for name in tables
        if (one := standings[name])
    ]
    return "\n".join(["What queries do not see is whatever has happened since:", *lines])


def _count(tables: Sequence[str], more: str = "") -> str:
    return f"1 {more}table is" if len(tables) == 1 else f"{len(tables)} {more}tables are"


def _is_same(word: datetime, before: datetime | None) -> bool:
    """Nothing was said since: its time is told as an age, by a clock that goes on meanwhile."""
    return before is not None and word - before < SAME_WORD


def _silence(pace: Pace) -> timedelta:
    return timedelta(seconds=pace.silence_seconds)
