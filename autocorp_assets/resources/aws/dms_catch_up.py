"""One call's way through a DMS task's states until raw has what the source had: decided look by look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.aws.dms_api import DmsApi
from autocorp_assets.resources.aws.dms_loads import LoadRecorder
from autocorp_assets.resources.aws.dms_task import (
    SOURCE_SCHEMA,
    LoadTime,
    StartType,
    TableState,
    TableStatistics,
    Task,
    load_progress,
    start_type,
)
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.replication import CaughtUp, ReplicationError

SLOWDOWN = 1.5
SLOWEST = 6
"""Looks come at intervals that grow by the one, up to the other times the first."""
Answer = TypeVar("Answer")


class CatchUp:
    """Starts the task at most once, and once more where it is interrupted by what a restart mends.

    A table in error is loaded anew alone, once; then it is refused, and holds back no other.
    """

    def __init__(self, *, api: DmsApi, recorder: LoadRecorder, on_progress: Progress, may_start: bool) -> None:
        self._api = api
        self._may_start = may_start
        self._recorder = recorder
        self._on_progress = on_progress
        self._begun: datetime | None = None
        self._starts = 0
        self._statistics: Mapping[str, TableStatistics] = {}
        self._former: dict[str, LoadTime | None] = {}
        """Loads that this call has had replaced: they are not the ones that it waits for."""
        self._asked: dict[str, tuple[LoadTime | None, datetime | None]] = {}
        """Tables that this call has had loaded anew alone, and how they stood when it asked."""
        self.refused: dict[str, str] = {}
        self.standing = "nothing was seen yet"
        """Where it is; a deadline's message ends with it."""

    def reload(self, tables: Sequence[str]) -> bool | None:
        """Have the tables loaded anew; None while the task cannot take that.

        A task that stands still is started with a load of everything where everything is asked for.
        """
        task = self._settled()
        if task is None:
            return None
        if task.is_running:
            self._ask_for(task, tables)
            return True
        everything = task.has_run and set(tables) == set(TABLES)
        return True if self._start(task, StartType.RELOAD if everything else None) is not StartType.RESUME else None

    def reloaded(self, tables: Sequence[str]) -> bool | None:
        """Whether each of the tables has a new load in a manifest, or is refused; None before that."""
        task = self._running()
        if task is None:
            return None
        waiting = self._waiting(task, tables)
        return None if waiting else True

    def caught_up(self) -> CaughtUp | None:
        """None until raw has what the source had at the first look."""
        task = self._running()
        if task is None or self._waiting(task, tuple(TABLES)):
            return None
        lag = self._api.lag(task)
        if lag is None:
            self._say("waiting for the first data point of CDCLatencyTarget in CloudWatch")
            return None
        if self._begun is None or lag.reached < self._begun:
            self._say(f"raw has what was committed before {lag.reached:%H:%M:%S} UTC (lag {lag.seconds:.0f} s)")
            return None
        return CaughtUp(
            position=lag.reached.isoformat(timespec="seconds"),
            seconds=0.0,
            lag_seconds=lag.seconds,
            tables={name: one.counters for name, one in self._statistics.items()},
            refused=self.refused,
        )

    def _settled(self) -> Task | None:
        task = self._api.describe()
        self._begun = self._begun or task.asked_at
        if task.is_settling:
            self._say(task.summary)
            return None
        return task

    def _running(self) -> Task | None:
        task = self._settled()
        if task is not None and not task.is_running:
            self._start(task)
            return None
        return task

    def _start(self, task: Task, wanted: StartType | None = None) -> StartType:
        legal = start_type(task)
        if (
            legal is None
            or not self._may_start
            or (self._starts and not (self._starts == 1 and task.meaning.restart_mends))
        ):
            raise ReplicationError(task.summary)
        how = wanted or legal
        if how is StartType.RELOAD:
            self._former = {name: one.load for name, one in self._api.statistics(task).items()}
        if task.has_run:
            self._say(task.summary)
        self._starts += 1
        self._api.start(task, how)
        self._say(f"DMS task {task.identifier}: {how}")
        return how

    def _waiting(self, task: Task, tables: Sequence[str]) -> list[str]:
        """Tables that are not loaded yet; those in error are loaded anew, or refused."""
        self._statistics = self._api.statistics(task)
        recorded = self._recorder.record(self._statistics)
        waiting = []
        for name in tables:
            one = self._statistics.get(name)
            untold = name in recorded.waiting or name in recorded.unreadable
            if name in self.refused or (one is not None and self._is_done(one) and not untold):
                continue
            reason = recorded.unreadable.get(name) or self._hopeless(task, name, one)
            if reason is not None:
                self.refused[name] = reason
                self._on_progress(f"{name}: {reason}")
                continue
            waiting.append(name)
        broken = [name for name in waiting if name not in self._asked and self._is_in_error(name)]
        if broken:
            self._on_progress(f"{', '.join(broken)}: in error, loading anew")
            self._ask_for(task, broken)
        if waiting:
            self._say("; ".join([load_progress(self._statistics), *recorded.waiting.values()]))
        return waiting

    def _is_in_error(self, name: str) -> bool:
        one = self._statistics.get(name)
        return one is not None and one.is_in_error

    def _is_done(self, one: TableStatistics) -> bool:
        return one.is_loaded and not (one.table in self._former and one.load == self._former[one.table])

    def _hopeless(self, task: Task, name: str, one: TableStatistics | None) -> str | None:
        """Why waiting for the table is of no use."""
        if one is None:
            if not task.load_is_over:
                return None
            return (
                f"DMS does not replicate {SOURCE_SCHEMA}.{name}: the task's table mappings do not select it, or the "
                "source has no such table. `autocorp doctor` shows which"
            )
        if one.state == TableState.MISSING:
            return f"the source has no table {SOURCE_SCHEMA}.{name}: create it, then reload it"
        before = self._asked.get(name)
        if one.is_in_error and before is not None and (one.load, one.updated_at) != before:
            return (
                f"DMS could not load {SOURCE_SCHEMA}.{name} ({one.state.lower()}), not when loaded anew either: the "
                "task's log in CloudWatch has the reason; mend it, then materialise the table with `reload: true`"
            )
        return None

    def _ask_for(self, task: Task, tables: Sequence[str]) -> None:
        """Those that DMS does not know it would refuse, and the others with them: `_hopeless` names them."""
        statistics = self._api.statistics(task)
        known = {name: statistics[name] for name in tables if name in statistics}
        if known:
            self._api.reload_tables(task, tuple(known))
        for name, one in known.items():
            self._former[name] = one.load
            self._asked[name] = (one.load, one.updated_at)

    def _say(self, text: str) -> None:
        """Once each time that something is new."""
        if text != self.standing:
            self._on_progress(text)
        self.standing = text


def wait_for(
    look: Callable[[], Answer | None], *, deadline_seconds: float, poll_seconds: float, standing: Callable[[], str]
) -> Answer:
    """The first answer; looks come at growing intervals.

    Raises:
        ReplicationError: there was none in time, with where it stood.
    """
    from tenacity import RetryError, Retrying, retry_if_result, stop_before_delay, wait_exponential

    retrying = Retrying(
        retry=retry_if_result(lambda answer: answer is None),
        stop=stop_before_delay(deadline_seconds),
        wait=wait_exponential(multiplier=poll_seconds, exp_base=SLOWDOWN, max=SLOWEST * poll_seconds),
    )
    try:
        answer = retrying(look)
    except RetryError as error:
        message = (
            f"raw did not get to where the source was in {deadline_seconds:,.0f} s: {standing()}. "
            "DMS goes on by itself: materialise again later, or with a longer `deadline_seconds`"
        )
        raise ReplicationError(message) from error
    assert answer is not None  # noqa: S101 else it would have been looked for again
    return answer
