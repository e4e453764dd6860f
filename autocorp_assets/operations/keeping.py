"""Parts of the platform that are started again whenever they end: the replicator, Dagster, the embedded source."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.local.supervision import Guarded

if TYPE_CHECKING:
    from autocorp_assets.local.source.postgres import EmbeddedPostgres

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 60.0
"""What ran for so long had no start-up trouble: the next pause begins anew."""

Say = Callable[[str], None]


@dataclass(kw_only=True)
class KeptProcess:
    """A child process, started again with growing pauses whenever it ends, or says that it is of no use."""

    name: str
    """With its article, to begin a sentence with."""
    launch: Callable[[], Guarded]
    say: Say
    ailment: Callable[[int], str | None] = lambda _: None
    """Given the id of its process: why it does not work although it runs; None while all is well."""
    _child: Guarded | None = None
    _started: float = 0.0
    _pause: float = FIRST_PAUSE_SECONDS

    def start(self) -> Guarded:
        self._child = self.launch()
        self._started = time.monotonic()
        return self._child

    def keep_running(self) -> None:
        """Start it again once its pause is over; says so."""
        if self._child is None:
            return
        if (code := self._child.poll()) is None:
            if (ailment := self.ailment(self._child.pid)) is None:
                return
            self._child.stop()
        else:
            ailment = f"ended with code {code}"
        ran = time.monotonic() - self._started
        if ran < self._pause:
            return
        self._pause = FIRST_PAUSE_SECONDS if ran > STEADY_SECONDS else min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        self.say(f"{self.name} {ailment}; started again. Its log: {self._child.log}")
        self.start()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()


@dataclass(kw_only=True)
class KeptSource:
    """The embedded server: a crash of it is mended by starting it again, which replays its log."""

    server: EmbeddedPostgres
    say: Say
    on_moved: Callable[[], None]
    """Called when it has had to come back at another address."""
    _again_at: float = 0.0
    _pause: float = FIRST_PAUSE_SECONDS
    _dsn: str = field(default="", repr=False)

    def keep_running(self) -> None:
        """Start it if it has gone; what hinders that is told, and tried again after a while."""
        if self.server.is_running():
            self._dsn = self._dsn or self.server.dsn
            return
        if time.monotonic() < self._again_at:
            return
        self._dsn = self._dsn or self.server.dsn
        try:
            self.server.start(guarded=True)
        except SourceError as error:
            self._again_at = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            self.say(f"the source has gone and does not start again, tried again in a while: {error}")
            return
        self._pause = FIRST_PAUSE_SECONDS
        self.say("the source had ended; started again")
        if self.server.dsn != self._dsn:
            self._dsn = self.server.dsn
            self.on_moved()
