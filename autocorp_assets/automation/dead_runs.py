"""Runs whose process has died without a word: report them failed and free what they hold.

Dagster's run monitoring does not look at the processes of its default launcher, so a run that was
killed stays STARTED for ever, with the pool's only slot.
"""

from __future__ import annotations

import dagster as dg

PROCESS_TAG_KEY = "pid"
"""Metadata of the engine events in which Dagster says which process executes a run."""
CLOCK_SLACK_SECONDS = 2.0


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report every run failed whose process is gone, and free the pool slots of runs that are over.

    Runs of live processes are never touched, whoever started them; nor are queued ones.

    Returns:
        The ids of the runs that were reported.
    """
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    dead = [run for run in instance.get_runs(dg.RunsFilter(statuses=statuses)) if _is_dead(instance, run.run_id)]
    for run in dead:
        instance.report_run_failed(
            run,
            "The process that executed this run is gone: it was killed, or the machine restarted. Nothing is "
            "half-done, since tables change by atomic commits: what is pending is taken up by the next run.",
        )
    _free_slots(instance)
    return [run.run_id for run in dead]


def _free_slots(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    holders = storage.get_concurrency_run_ids()
    over = {run_id for run_id in holders if (run := instance.get_run_by_id(run_id)) is None or run.is_finished}
    for run_id in over:
        storage.free_concurrency_slots_for_run(run_id)


def _is_dead(instance: dg.DagsterInstance, run_id: str) -> bool:
    process = _process_of(instance, run_id)
    return process is not None and not _is_alive(*process)


def _process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """Process id that executes the run and when it said so; None before it did."""
    for entry in reversed(instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)):
        event = entry.dagster_event
        value = event.engine_event_data.metadata.get(PROCESS_TAG_KEY) if event else None
        if value is not None and str(value.value).isdecimal():
            return int(str(value.value)), entry.timestamp
    return None


def _is_alive(process_id: int, spoke_at: float) -> bool:
    """Whether that very process lives: an id that was given anew belongs to a younger one."""
    import psutil

    try:
        process = psutil.Process(process_id)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= spoke_at + CLOCK_SLACK_SECONDS
    except psutil.NoSuchProcess:
        return False
