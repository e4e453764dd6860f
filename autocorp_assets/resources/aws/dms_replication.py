"""Replication by a DMS task, which writes LOAD and change files to the raw zone by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from autocorp_assets.resources.aws.dms_api import PERIOD_SECONDS, DmsApi, TaskMissingError
from autocorp_assets.resources.aws.dms_catch_up import Answer, CatchUp, wait_for
from autocorp_assets.resources.aws.dms_loads import LoadRecorder
from autocorp_assets.resources.aws.dms_slot import retained_log
from autocorp_assets.resources.aws.dms_task import Task, start_type
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.replication import CaughtUp, ReplicationError, ReplicationState
from autocorp_assets.resources.ports.source import ReadOnlySource, RetainedLog

POLL_SECONDS = 5.0
"""To the second look; later ones are up to half a minute apart, since a load takes minutes and a metric one."""


@dataclass(frozen=True, kw_only=True)
class DmsReplication:
    """ManagedReplication by the task `task`. Talks to nobody before it is used."""

    task: str
    lake: str
    """`s3://…`, below which DMS's endpoint writes `raw/database/<table>/`."""
    slot: str
    """In the source, where somebody has given DMS one by this name; else it is found by its plugin."""
    source: ReadOnlySource | None = None
    """To be asked for the log that it keeps."""
    poll_seconds: float = POLL_SECONDS
    period_seconds: int = PERIOD_SECONDS

    @cached_property
    def _api(self) -> DmsApi:
        return DmsApi(identifier=self.task, period_seconds=self.period_seconds)

    @cached_property
    def _recorder(self) -> LoadRecorder:
        return LoadRecorder(lake=self.lake)

    def state(self) -> ReplicationState:
        """Two requests while it runs and one while it does not; one more with a table in error.

        Raises:
            ReplicationError: AWS does not say.
        """
        try:
            task = self._api.describe()
        except TaskMissingError as error:
            return ReplicationState(running=False, should_run=True, summary=str(error), remedy=str(error))
        if not task.is_running:
            return _down(task)
        lag = self._api.lag(task)
        statistics = self._api.statistics(task) if task.tables_in_error else {}
        errors = [name for name, one in statistics.items() if one.is_in_error]
        told = "" if lag is None else f", lag {lag.seconds:,.0f} s at {lag.at:%H:%M} UTC"
        return ReplicationState(
            running=True,
            should_run=True,
            summary=task.summary + told + (f"; in error: {', '.join(errors)}" if errors else ""),
            lag_seconds=None if lag is None else lag.seconds,
            silent_seconds=None if lag is None else (datetime.now(UTC) - lag.at).total_seconds() + lag.seconds,
            is_following=lag is not None,
            tables_in_error=tuple(errors),
        )

    def retained_log(self) -> RetainedLog | None:
        return None if self.source is None else retained_log(self.source, self.slot)

    def catch_up(self, *, deadline_seconds: float, on_progress: Progress, may_start: bool = True) -> CaughtUp:
        started = time.monotonic()
        way = self._way(on_progress, may_start=may_start)
        reached = self._wait_for(way.caught_up, way, deadline_seconds)
        return replace(reached, seconds=time.monotonic() - started)

    def reload(self, tables: Sequence[str], *, deadline_seconds: float, on_progress: Progress) -> Mapping[str, str]:
        started = time.monotonic()
        way = self._way(on_progress)
        self._wait_for(lambda: way.reload(tables), way, deadline_seconds)
        remaining = deadline_seconds - (time.monotonic() - started)
        self._wait_for(lambda: way.reloaded(tables), way, remaining)
        return way.refused

    def resume(self) -> str:
        task = self._api.describe()
        how = start_type(task)
        if how is None:
            raise ReplicationError(task.summary)
        self._api.start(task, how)
        return f"DMS task {task.identifier}: {how}"

    def begin_reload(self, table: str) -> None:
        self._api.reload_tables(self._api.describe(), [table])

    def record_loads(self) -> Sequence[str]:
        task = self._api.latest or self._api.describe()
        if not task.has_run:
            return ()
        recorded = self._recorder.record(self._api.statistics(task))
        if recorded.unreadable:
            raise ReplicationError("; ".join(recorded.unreadable.values()))
        return recorded.tables

    def _way(self, on_progress: Progress, *, may_start: bool = True) -> CatchUp:
        return CatchUp(api=self._api, recorder=self._recorder, on_progress=on_progress, may_start=may_start)

    def _wait_for(self, look: Callable[[], Answer | None], way: CatchUp, deadline_seconds: float) -> Answer:
        return wait_for(
            look,
            deadline_seconds=deadline_seconds,
            poll_seconds=self.poll_seconds,
            standing=lambda: way.standing,
        )


def _down(task: Task) -> ReplicationState:
    meaning = task.meaning
    may_start = task.has_run and start_type(task) is not None
    return ReplicationState(
        running=False,
        should_run=task.has_run and not meaning.on_purpose,
        summary=task.summary,
        is_settling=task.is_settling,
        restart_mends=may_start and meaning.restart_mends,
        remedy=meaning.remedy,
    )
