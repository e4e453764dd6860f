"""When people are told that tables are stale, and that it is over. Pure decisions.

One alert for all tables that are late together, one more at most when others join, and one when all are fresh again.
Nobody is told before the platform has been watched for as long as a table may be late: after a restart it first gets
the time to catch up. Nor of what was stopped on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from autocorp_assets.contracts.model import ServiceLevel

GAP = timedelta(minutes=5)
"""Without a look for so long, the platform itself was down."""


@dataclass(frozen=True, kw_only=True)
class OpenAlert:
    """What people have been told, and is not over."""

    told_at: datetime
    behind_since: datetime
    """Until when all of its tables were complete when they were told."""
    tables: tuple[str, ...]
    has_grown: bool = False
    """They have been told that others have joined."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is known from one look to the next. Times are UTC."""

    looked_at: datetime | None = None
    watching_since: datetime | None = None
    """Since when there has been look after look."""
    heard_until: datetime | None = None
    """What replication last said of itself: until when raw was complete."""
    alert: OpenAlert | None = None

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        if not text:
            return cls()
        content = json.loads(text)
        alert = content.pop("alert")
        return cls(
            **{name: _time(value) for name, value in content.items()},
            alert=OpenAlert(
                told_at=datetime.fromisoformat(alert["told_at"]),
                behind_since=datetime.fromisoformat(alert["behind_since"]),
                tables=tuple(alert["tables"]),
                has_grown=alert["has_grown"],
            )
            if alert
            else None,
        )

    def to_json(self) -> str:
        return json.dumps({**_plain(self), "alert": _plain(self.alert) if self.alert else None})

    def looking(self, now: datetime, heard: datetime | None) -> Self:
        """As a look begins, that was told by replication until when raw is complete."""
        is_first = self.looked_at is None or now - self.looked_at > GAP
        return replace(
            self,
            looked_at=now,
            watching_since=now if is_first else self.watching_since,
            heard_until=max(filter(None, (heard, self.heard_until)), default=None),
        )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How late a table is."""

    complete_until: datetime
    level: ServiceLevel

    def age(self, now: datetime) -> timedelta:
        return max(timedelta(), now - self.complete_until)

    def is_late(self, now: datetime) -> bool:
        return self.age(now) >= timedelta(minutes=self.level.warn_minutes)

    def is_stale(self, now: datetime) -> bool:
        return self.age(now) >= timedelta(minutes=self.level.fail_minutes)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What people are to be told now, and what is to be remembered."""

    memory: Memory
    opened: tuple[str, ...] = ()
    """Tables of a new alert."""
    joined: tuple[str, ...] = ()
    """Tables that have become stale beside those of the open alert."""
    over: OpenAlert | None = None


def decide(
    memory: Memory, standings: Mapping[str, Standing], *, now: datetime, is_stopped_on_purpose: bool
) -> Decision:
    """Whom to tell of what.

    Args:
        memory: of this look.
        standings: by table, of those that exist.
        now: the time of this look.
        is_stopped_on_purpose: somebody has stopped replication, and so knows.
    """
    late = [name for name, standing in standings.items() if standing.is_late(now)]
    stale = [name for name in late if standings[name].is_stale(now)]
    alert = memory.alert
    if alert is None:
        if not stale or is_stopped_on_purpose or not _is_watched_long_enough(memory, standings, stale, now):
            return Decision(memory=memory)
        # What is late already will be stale soon, and of the same cause most often.
        behind_since = min(standings[name].complete_until for name in late)
        opened = OpenAlert(told_at=now, behind_since=behind_since, tables=tuple(late))
        return Decision(memory=replace(memory, alert=opened), opened=opened.tables)
    if not any(name in late for name in alert.tables) and not stale:
        return Decision(memory=replace(memory, alert=None), over=alert)
    joined = tuple(name for name in stale if name not in alert.tables)
    if not joined:
        return Decision(memory=memory)
    grown = replace(alert, tables=(*alert.tables, *joined), has_grown=True)
    return Decision(memory=replace(memory, alert=grown), joined=() if alert.has_grown else joined)


def age_text(age: timedelta) -> str:
    """Roughly, for people."""
    seconds = int(age.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _is_watched_long_enough(memory: Memory, standings: Mapping[str, Standing], stale: list[str], now: datetime) -> bool:
    grace = timedelta(minutes=min(standings[name].level.fail_minutes for name in stale))
    return memory.watching_since is not None and now - memory.watching_since >= grace


def _plain(content: Memory | OpenAlert) -> dict[str, Any]:
    values = {name: getattr(content, name) for name in content.__dataclass_fields__ if name != "alert"}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
