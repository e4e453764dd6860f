"""Sensors that watch the platform itself."""

import dagster as dg

from autocorp_assets.automation.dead_runs import fail_dead_runs
from autocorp_assets.resources.ports import Replication

WATCH_SECONDS = 30


@dg.sensor(
    name="replication_status",
    minimum_interval_seconds=WATCH_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says in its skip reason where replication stands, and logs an error while it is down.",
)
def replication_status(
    context: dg.SensorEvaluationContext, replication: dg.ResourceParam[Replication]
) -> dg.SkipReason:
    """Starts nothing: whoever runs the platform keeps the replicator running."""
    state, retained = replication.state(), replication.retained_log()
    warning = retained.warning if retained else None
    if warning:
        context.log.warning(warning)
    if state.should_run and not state.running:
        context.log.error(f"replication is down: {state.summary}. Start it with `autocorp dev`, or run `autocorp sync`")
        return dg.SkipReason(f"DOWN: {state.summary}" + (f"; {warning}" if warning else ""))
    if warning:
        return dg.SkipReason(f"WARNING: {warning}")
    said = "" if state.silent_seconds is None else f", as of {state.silent_seconds:.0f} s ago"
    kept = "" if retained is None else f"; the source keeps {retained.bytes / 1024**2:,.1f} MiB of log for it"
    return dg.SkipReason(f"{'running' if state.running else 'not running'}: {state.summary}{said}{kept}")


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
