"""`autocorp dev` as a child, and the other commands of its data folder: what an operator has, and no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocorp_assets.local.supervision import Guarded
from autocorp_assets.settings import PROJECT_FOLDER, Settings

AUTOCORP = (sys.executable, "-c", "from autocorp_assets.cli.main import app; app()")
STOP_SECONDS = 60.0
COMMAND_SECONDS = 900.0
NOT_OURS = ("AUTOCORP_SOURCE_DSN", "AUTOCORP_LANDING", "AUTOCORP_SLOT", "DAGSTER_HOME")
"""What an operator may have set for data of their own."""


@dataclass(kw_only=True)
class Dev:
    """The platform of one data folder, started again by hand, as it were, whenever it has ended."""

    settings: Settings
    port: int
    log: Path
    say: Callable[[str], None]
    restarts: int = 0
    _child: Guarded | None = None

    @property
    def guard(self) -> int | None:
        """Process id of the guard, to which every process of the platform is a descendant."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self) -> None:
        self._child = Guarded.start(
            [*AUTOCORP, "dev", "--port", str(self.port)],
            name="autocorp dev",
            log=self.log,
            env=self._environment(),
            cwd=PROJECT_FOLDER,
            stop_signal=signal.SIGINT,
            grace_seconds=STOP_SECONDS,
        )

    def keep_running(self) -> None:
        """The one manual step that a killed `autocorp dev` needs: run it again."""
        if self._child is not None and (code := self._child.poll()) is not None:
            self.restarts += 1
            self.say(f"`autocorp dev` ended with code {code}; run again")
            self.start()

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self._child is not None:
            self._child.stop()

    def sync(self) -> dict[str, Any]:
        """One headless pass, for what the platform had no time to do; its report, and `said`, what it printed."""
        ended = self._run("sync", "--json")
        return {**(json.loads(ended.stdout) if ended.stdout else {"ok": False}), "said": ended.stderr}

    def history(self, table: str, key: str) -> str:
        """Everything that happened to a row, for whoever has to find out why it differs."""
        ended = self._run("trace", table, key)
        return ended.stdout or ended.stderr

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*AUTOCORP, *arguments],
            cwd=PROJECT_FOLDER,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        return {**ours, "AUTOCORP_HOME": str(self.settings.home_folder)}
