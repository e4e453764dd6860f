"""Sensors that watch the platform itself."""

import time
from collections.abc import Callable
from functools import partial

import dagster as dg

from autocorp_assets.automation.dead_runs import fail_dead_runs
from autocorp_assets.automation.recovery import OVER_SUBJECT, History, decide
from autocorp_assets.resources.ports.alerts import Alerts
from autocorp_assets.resources.ports.replication import (
    ManagedReplication,
    Replication,
    ReplicationError,
    ReplicationState,
)

WATCH_SECONDS = 30


@dg.sensor(
    name="replication_status",
    minimum_interval_seconds=WATCH_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says in its skip reason where replication stands, and logs an error while it is down. On AWS it also "
    "resumes a task that an error has stopped, a few times, and reloads a table in error.",
)
def replication_status(
    context: dg.SensorEvaluationContext,
    replication: dg.ResourceParam[Replication],
    alerts: dg.ResourceParam[Alerts],
) -> dg.SkipReason:
    """A service is started again by the rules of `recovery`; a replicator of ours is kept running by who runs it."""
    try:
        state, retained = replication.state(), replication.retained_log()
        done = tend(context, replication, state, alerts) if isinstance(replication, ManagedReplication) else None
    except ReplicationError as error:
        context.log.error(str(error))
        return dg.SkipReason(f"UNKNOWN: {error}")
    warning = retained.warning if retained else None
    if warning:
        context.log.warning(warning)
    if state.should_run and not state.running and not state.is_settling:
        how = done or "Start it with `autocorp dev`, or run `autocorp sync`"
        context.log.error(f"replication is down: {state.summary}. {how}")
        return dg.SkipReason("; ".join(filter(None, (f"DOWN: {state.summary}", done, warning))))
    if warning:
        return dg.SkipReason(f"WARNING: {warning}")
    said = "" if state.silent_seconds is None else f", as of {state.silent_seconds:.0f} s ago"
    kept = "" if retained is None else f"; the source keeps {retained.bytes / 1024**2:,.1f} MiB of log for it"
    acted = f"; {done}" if done else ""
    return dg.SkipReason(f"{'running' if state.running else 'not running'}: {state.summary}{said}{kept}{acted}")


def tend(
    context: dg.SensorEvaluationContext, replication: ManagedReplication, state: ReplicationState, alerts: Alerts
) -> str:
    """Do what `decide` says, once, and record loads that nobody of ours has begun; what was done or why nothing.

    Raises:
        ReplicationError: the loads cannot be recorded.
    """
    decision = decide(state, History.from_json(context.cursor), time.time())
    # An attempt counts also where something below fails.
    context.update_cursor(decision.history.to_json())
    failed = [_tried(context, replication.resume)] if decision.resume else []
    failed += [_tried(context, partial(replication.begin_reload, table)) for table in decision.reload]
    for subject, text in decision.alerts.items():
        alerts.send(subject=subject, text=text)
    for subject in decision.over:
        alerts.send(subject=OVER_SUBJECT.format(subject=subject), text=state.summary)
    recorded = replication.record_loads() if state.running else ()
    loads = f"recorded the load of {', '.join(recorded)}" if recorded else None
    return "; ".join(filter(None, (decision.reason, *failed, loads)))


def _tried(context: dg.SensorEvaluationContext, act: Callable[[], object]) -> str | None:
    """Why it could not be done; the next attempt comes later."""
    try:
        act()
    except ReplicationError as error:
        context.log.error(str(error))
        return str(error)
    return None


@dg.sensor(
    name="dead_runs",
    minimum_interval_seconds=WATCH_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports runs failed whose process was killed, so that they hold back no other.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Also frees the pool slots that they held."""
    reported = fail_dead_runs(context.instance)
    return dg.SkipReason(f"reported failed: {', '.join(reported)}" if reported else "every started run is alive")
