"""What Dagster keeps for ever, or for a month where it is much, and nobody reads any more.

Ticks are purged by dagster.yaml. Dagster has nothing of the kind for runs: each leaves some 300 KB, and 24 a day check
whole tables though nothing happens. Of conditions it keeps for 30 days what each asset's came to whenever that changed,
which is a megabyte for each curation.

What stays: results of checks, which Dagster keeps apart from their run; and heartbeats, which are of no run. Of those
it can only wipe all of an asset's, with everything that the UI plots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

TICK_SECONDS = 3600
MOST_RUNS = 400
"""In one tick, which may take a minute; in a day more than steady traffic makes."""
EVALUATIONS_KEPT = timedelta(days=2)
TRIGGER_TAG = "autocorp/trigger"
DONE = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Runs that are kept for a while."""

    what: str
    time: timedelta
    statuses: tuple[dg.DagsterRunStatus, ...]
    triggers: tuple[str, ...] = ()
    """Values of the trigger tag; any run unless given."""

    def older(self, now: datetime) -> dg.RunsFilter:
        tags = {TRIGGER_TAG: self.triggers} if self.triggers else None
        return dg.RunsFilter(statuses=list(self.statuses), tags=tags, created_before=now - self.time)


RULES = (
    Kept(what="checks and views", time=timedelta(days=7), statuses=DONE, triggers=("schedule", "views")),
    # The report of a month reads them, and so do the plots of the UI.
    Kept(what="tables", time=timedelta(days=35), statuses=DONE),
    Kept(what="failures", time=timedelta(days=90), statuses=(dg.DagsterRunStatus.FAILURE,)),
)


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What a tick has come to."""

    runs: dict[str, int] = field(default_factory=dict)
    """By rule."""
    trouble: dict[str, str] = field(default_factory=dict)
    """Why a run could not be forgotten, by its id. It holds back no other."""

    def told(self) -> str:
        done = ", ".join(f"{count} of {what}" for what, count in self.runs.items() if count)
        kept = ", ".join(f"{rule.what} {rule.time.days} days" for rule in RULES)
        said = f"forgot runs: {done}" if done else f"no run is old enough to be forgotten; kept are {kept}"
        return "; ".join([said, *(f"CANNOT FORGET run {run}: {why}" for run, why in self.trouble.items())])


def forgetting_sensor(*, owns_files: bool) -> dg.SensorDefinition:
    """Forgets runs and evaluations that are old, every hour. A tick and no job: that would be one more run.

    Args:
        owns_files: the instance's files are on this machine and ours; else whoever keeps the logs lets them go.
    """

    @dg.sensor(
        name="forget_old_runs",
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Forgets old runs, so that Dagster's storage does not grow for ever: "
        + ", ".join(f"of {rule.what} after {rule.time.days} days" for rule in RULES)
        + ". The last run of an asset stays.",
    )
    def forget_old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = datetime.now(UTC)
        purge_evaluations(context.instance, before=now - EVALUATIONS_KEPT)
        return dg.SkipReason(forget_runs(context.instance, now=now, owns_files=owns_files).told())

    return forget_old_runs


def forget_runs(instance: dg.DagsterInstance, *, now: datetime, owns_files: bool) -> Forgotten:
    """Forget runs by the rules, oldest first and not more than a tick has time for."""
    needed, result, left = last_runs(instance), Forgotten(), MOST_RUNS
    for rule in RULES:
        old = instance.get_run_records(rule.older(now), limit=left + len(needed), ascending=True)
        ids = [one.dagster_run.run_id for one in old if one.dagster_run.run_id not in needed][:left]
        gone = list(_forget(instance, ids, result.trouble, owns_files=owns_files))
        result.runs[rule.what] = len(gone)
        left -= len(ids)
        if left <= 0:
            break
    return result


def last_runs(instance: dg.DagsterInstance) -> frozenset[str]:
    """Runs that hold the newest materialisation of an asset: Dagster tells by it what the asset is."""
    records = instance.get_asset_records(instance.all_asset_keys())
    newest = (record.asset_entry.last_materialization_record for record in records)
    return frozenset(one.run_id for one in newest if one is not None)


def purge_evaluations(instance: dg.DagsterInstance, *, before: datetime) -> None:
    """Forget what automation conditions came to: of use while somebody asks why a run was or was not asked for."""
    storage = instance.schedule_storage
    if storage is not None and storage.supports_auto_materialize_asset_evaluations:
        storage.purge_asset_evaluations(before=before.timestamp())


def _forget(
    instance: dg.DagsterInstance, run_ids: Iterable[str], trouble: dict[str, str], *, owns_files: bool
) -> Iterator[str]:
    for run_id in run_ids:
        try:
            if owns_files:
                instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
            if owns_files:
                _remove_shard(instance, run_id)
        except Exception as error:  # noqa: BLE001 whatever the storage raises: the others are to be forgotten all the same
            trouble[run_id] = f"{type(error).__name__}: {error}"
        else:
            yield run_id


def _remove_shard(instance: dg.DagsterInstance, run_id: str) -> None:
    """SQLite: Dagster empties the database of the run's events, and leaves its file."""
    path_for_shard = getattr(instance.event_log_storage, "path_for_shard", None)
    if run_id and path_for_shard is not None:
        Path(path_for_shard(run_id)).unlink(missing_ok=True)
