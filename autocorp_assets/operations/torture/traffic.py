"""Continuous writes to a source that comes and goes: the business's own, and an adversary's."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autocorp_assets.local.source.connection import embedded
from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    import psycopg

AWAY_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 0.1
ORDERS_PER_SECOND = 8.0
MANY_ORDERS = 100_000
"""More than any torture lasts for."""


@dataclass(kw_only=True)
class Traffic:
    """Writers to the embedded source of a data folder; a broken connection is made again."""

    settings: Settings
    seed: int
    refused: int = 0
    """Transactions that the source itself refused, such as a delete of what somebody else needs."""
    broken: int = 0
    """Connections that broke, or could not be made."""

    def business(self, stop: threading.Event) -> None:
        """Orders and what goes with them, on every table."""
        import psycopg

        from autocorp_assets.local.generator.traffic import simulate

        seed = self.seed
        while not stop.is_set():
            seed += 1
            try:
                simulate(self._dsn(), orders=MANY_ORDERS, seed=seed, rate=ORDERS_PER_SECOND, stop=stop)
            except (psycopg.Error, SourceError) as error:
                self._note(error)
                stop.wait(AWAY_SECONDS)

    def adversary(self, stop: threading.Event) -> None:
        """One hard transaction after the other."""
        import psycopg

        rng = random.Random(self.seed)
        while not stop.is_set():
            try:
                with psycopg.connect(self._dsn(), autocommit=True, connect_timeout=5) as connection:
                    self._misbehave(connection, rng, stop)
            except (psycopg.OperationalError, SourceError) as error:
                self._note(error)
                stop.wait(AWAY_SECONDS)

    def _misbehave(self, connection: psycopg.Connection, rng: random.Random, stop: threading.Event) -> None:
        import psycopg

        from autocorp_assets.operations.torture.adversary import next_deed

        while not stop.is_set():
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    next_deed(rng)(cursor, rng)
            except (psycopg.IntegrityError, psycopg.errors.DeadlockDetected):
                self.refused += 1
            stop.wait(rng.uniform(0, LONGEST_PAUSE_SECONDS))

    def _dsn(self) -> str:
        return embedded(self.settings).dsn

    def _note(self, error: Exception) -> None:
        import psycopg

        if isinstance(error, (psycopg.OperationalError, SourceError)):
            self.broken += 1
        else:
            self.refused += 1
