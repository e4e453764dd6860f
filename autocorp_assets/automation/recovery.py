"""When replication that has stopped is started again, and when a person has to look. Pure decisions.

Restarts come at once, then after 1, 2, 4 and 8 minutes; no more than CEILING in WINDOW_SECONDS. What has been given up
stays so until it runs again, by whoever's hand. What somebody stopped on purpose is never touched, and what a restart
cannot mend is not tried.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from autocorp_assets.resources.ports.replication import ReplicationState

CEILING = 5
WINDOW_SECONDS = 3600.0
FIRST_WAIT_SECONDS = 60.0
"""Doubled with each attempt."""
DOWN_SUBJECT = "Replication is down"
TABLE_SUBJECT = "Replication of {name} is in error"
OVER_SUBJECT = "Over: {subject}"
TASK = ""
"""Name of the whole in a history, beside those of tables."""


@dataclass(frozen=True, kw_only=True)
class History:
    """What was done and told so far. Times are seconds of the epoch."""

    attempts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """When the whole was restarted, or a table loaded anew, ascending."""
    alerted: tuple[str, ...] = ()
    """What people have been told of, and is not over."""

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        if not text:
            return cls()
        content = json.loads(text)
        attempts = {name: tuple(times) for name, times in content["attempts"].items()}
        return cls(attempts=attempts, alerted=tuple(content["alerted"]))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def of(self, name: str) -> tuple[float, ...]:
        return self.attempts.get(name, ())

    def with_attempt(self, name: str, now: float) -> Self:
        return replace(self, attempts={**self.attempts, name: (*self.of(name), now)})

    def without_old(self, now: float) -> Self:
        """Forgets attempts that count no more."""
        recent = {
            name: tuple(time for time in times if time > now - WINDOW_SECONDS) for name, times in self.attempts.items()
        }
        return replace(self, attempts={name: times for name, times in recent.items() if times})


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done now."""

    history: History
    reason: str = ""
    """Why nothing is done, or what is; empty while all is well."""
    resume: bool = False
    reload: tuple[str, ...] = ()
    alerts: Mapping[str, str] = field(default_factory=dict)
    """New trouble that a person has to look at: text by subject."""
    over: tuple[str, ...] = ()
    """Subjects of alerts whose cause is gone."""


def decide(state: ReplicationState, history: History, now: float) -> Decision:
    """What to do about where replication stands.

    Args:
        state: where it stands.
        history: what was done before.
        now: seconds of the epoch.
    """
    history = history.without_old(now)
    if state.is_settling:
        return Decision(history=history, reason="it settles by itself")
    if state.running:
        return _about_tables(state, history, now)
    if not state.should_run:
        return Decision(history=history, reason="it is not meant to run: nothing is done")
    return _about_the_whole(state, history, now)


def _about_the_whole(state: ReplicationState, history: History, now: float) -> Decision:
    """It is down, and should not be."""
    if not state.restart_mends:
        return _alert(history, TASK, f"{state.summary}. It is not started again: {_remedy(state)}")
    wait = _wait(TASK, history, now)
    if wait is None:
        return _alert(history, TASK, f"{state.summary}. {_given_up('restarted')}: {_remedy(state)}")
    if wait > 0:
        return Decision(history=history, reason=f"started again in {wait:.0f} s")
    return Decision(
        history=history.with_attempt(TASK, now),
        reason=f"started again, attempt {len(history.of(TASK)) + 1} of {CEILING}",
        resume=True,
    )


def _about_tables(state: ReplicationState, history: History, now: float) -> Decision:
    """The whole runs: so much of what was told is over, and single tables may be in error."""
    over = tuple(name for name in history.alerted if name not in state.tables_in_error)
    decision = Decision(
        history=replace(history, alerted=tuple(name for name in history.alerted if name not in over)),
        over=tuple(subject(name) for name in over),
    )
    for table in state.tables_in_error:
        wait = _wait(table, decision.history, now)
        if wait is None:
            text = f"{table} is in error while the other tables go on. {_given_up('loaded anew')}: {_TABLE_REMEDY}"
            told = _alert(decision.history, table, text)
            decision = replace(
                decision,
                history=told.history,
                alerts={**decision.alerts, **told.alerts},
                reason=_joined(decision.reason, told.reason),
            )
        elif wait > 0:
            decision = replace(decision, reason=_joined(decision.reason, f"{table} loaded anew in {wait:.0f} s"))
        else:
            decision = replace(
                decision,
                history=decision.history.with_attempt(table, now),
                reload=(*decision.reload, table),
                reason=_joined(decision.reason, f"{table} is loaded anew"),
            )
    return decision


def _wait(name: str, history: History, now: float) -> float | None:
    """Seconds until the next attempt, 0 for now; None when there is to be none."""
    attempts = history.of(name)
    if len(attempts) >= CEILING or name in history.alerted:
        return None
    if not attempts:
        return 0.0
    return max(0.0, attempts[-1] + FIRST_WAIT_SECONDS * 2 ** (len(attempts) - 1) - now)


def _alert(history: History, name: str, text: str) -> Decision:
    """Told once."""
    is_new = name not in history.alerted
    return Decision(
        history=replace(history, alerted=(*history.alerted, name)) if is_new else history,
        reason=text,
        alerts={subject(name): text} if is_new else {},
    )


def subject(name: str) -> str:
    """Of the alert on the whole, or on a table."""
    return TABLE_SUBJECT.format(name=name) if name else DOWN_SUBJECT


def _given_up(done: str) -> str:
    return f"It was {done} {CEILING} times within an hour without avail, and is not again"


def _remedy(state: ReplicationState) -> str:
    return state.remedy or "read its log, mend the cause, then materialise the raw tables"


def _joined(first: str, second: str) -> str:
    return "; ".join(filter(None, (first, second)))


_TABLE_REMEDY = "read its log, mend the cause, then materialise the table with `reload: true`"
