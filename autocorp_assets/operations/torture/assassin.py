"""Kills one part of the platform after the other, at moments that a seed decides."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from autocorp_assets.local.source.connection import embedded
from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.operations.torture.victims import STOPS_WORK, Victim, kill, living
from autocorp_assets.settings import Settings

POLL_SECONDS = 0.1

_TOLD = {Victim.SOURCE: "stopped for a while", Victim.SLOT: "dropped"}
_END_HOLDER = "SELECT pg_terminate_backend(active_pid, 2000) FROM pg_replication_slots WHERE slot_name = %s"
_DROP = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How hard the platform is hit."""

    pause_seconds: float
    """Longest wait between two kills."""
    patience_seconds: float
    """How long to wait for a victim that is not there, such as a Spark job."""
    work_seconds: float
    """Longest time from the sight of a Spark job to the kill of what it needs: it starts, reads, commits or is gone."""
    away_seconds: float
    """Longest absence of the source."""
    rest_seconds: float
    """How long the platform gets to take in by itself what load and kills have left, before `autocorp sync`."""


@dataclass(kw_only=True)
class Assassin:
    """One kill after the other until told to stop; every kind comes up once before any comes again."""

    settings: Settings
    guard: Callable[[], int | None]
    """Process id of the platform's guard; None while there is no platform."""
    pace: Pace
    chance: random.Random
    log: Path
    """A JSON line for each kill: when, whom, and which processes."""
    say: Callable[[str], None]
    victims: Sequence[Victim] = tuple(Victim)
    kills: Counter[Victim] = field(default_factory=Counter)
    absent: Counter[Victim] = field(default_factory=Counter)
    """Victims that did not show up in time."""

    def run(self, stop: threading.Event) -> None:
        for victim in self._order():
            stop.wait(self.chance.uniform(0, self.pace.pause_seconds))
            if stop.is_set():
                return
            self._strike(victim, stop)

    def _order(self) -> Iterator[Victim]:
        while True:
            yield from self.chance.sample(self.victims, len(self.victims))

    def _strike(self, victim: Victim, stop: threading.Event) -> None:
        if victim is Victim.SOURCE:
            self._take_source_away(stop)
            return
        if victim is Victim.SLOT:
            self._drop_slot(stop)
            return
        if victim in STOPS_WORK and self._wait_for(Victim.SPARK_JOB, stop):
            # Otherwise one Dagster after the other would die before it had set anything off.
            stop.wait(self.chance.uniform(0, self.pace.work_seconds))
        if not self._wait_for(victim, stop):
            self.absent[victim] += not stop.is_set()
            return
        guard = self.guard()
        killed = kill(victim, guard, self.chance) if guard else []
        if killed:
            self._note(victim, processes=killed)
        else:
            self.absent[victim] += 1

    def _wait_for(self, victim: Victim, stop: threading.Event) -> bool:
        deadline = time.monotonic() + self.pace.patience_seconds
        while not stop.is_set() and time.monotonic() < deadline:
            guard = self.guard()
            if guard and (found := living(guard)) and (victim is Victim.EVERYTHING or victim in found):
                return True
            stop.wait(POLL_SECONDS)
        return False

    def _take_source_away(self, stop: threading.Event) -> None:
        seconds = self.chance.uniform(0.5, 1) * self.pace.away_seconds
        server = embedded(self.settings)
        if not server.is_running():
            self.absent[Victim.SOURCE] += 1
            return
        with server.kept_away():
            self._note(Victim.SOURCE, seconds=round(seconds, 1))
            stop.wait(seconds)

    def _drop_slot(self, stop: threading.Event) -> None:
        """Takes some attempts: the replicator takes hold of its slot again as soon as it can."""
        import psycopg

        deadline = time.monotonic() + self.pace.patience_seconds
        while not stop.is_set() and time.monotonic() < deadline:
            with (
                contextlib.suppress(psycopg.Error, SourceError),
                psycopg.connect(embedded(self.settings).dsn, autocommit=True, connect_timeout=5) as connection,
            ):
                connection.execute(_END_HOLDER, [self.settings.slot])
                if connection.execute(_DROP, [self.settings.slot]).fetchone():
                    self._note(Victim.SLOT)
                    return
            stop.wait(POLL_SECONDS)
        self.absent[Victim.SLOT] += 1

    def _note(self, victim: Victim, **details: object) -> None:
        self.kills[victim] += 1
        entry = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "victim": victim, **details}
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        self.say(f"{_TOLD.get(victim, 'kill -9')}: {victim}")
