"""A data folder as an operator has it: `autocorp` runs on it as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from autocorp_assets.settings import PROJECT_FOLDER, Settings

AUTOCORP = (sys.executable, "-c", "from autocorp_assets.cli.main import app; app()")
OF_THE_MACHINE = ("AUTOCORP_CACHE", "AUTOCORP_MAVEN_REPOSITORY")
"""Settings that tests take over from whoever runs them; the others are the test's own."""


@dataclass(frozen=True)
class DataFolder:
    """One AUTOCORP_HOME."""

    path: Path

    @property
    def autocorp(self) -> tuple[str, ...]:
        """The command line's program."""
        return AUTOCORP

    @property
    def settings(self) -> Settings:
        return Settings(home=self.path, source_dsn=None, landing=None)

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AUTOCORP_", "DAGSTER_")) or name in OF_THE_MACHINE
        }
        return {**ours, "AUTOCORP_HOME": str(self.path)}

    def run(self, *arguments: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """`autocorp <arguments>` until it ends."""
        return subprocess.run(
            [*self.autocorp, *map(str, arguments)],
            cwd=PROJECT_FOLDER,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str, output: Path) -> subprocess.Popen[bytes]:
        """`autocorp <arguments>`, which goes on; what it prints goes to the file."""
        with output.open("wb") as stream:
            return subprocess.Popen(
                [*self.autocorp, *arguments], cwd=PROJECT_FOLDER, env=self.environment, stdout=stream, stderr=stream
            )

    def sync(self) -> dict[str, Any]:
        """The report of one `autocorp sync --json`."""
        ended = self.run("sync", "--json")
        return json.loads(ended.stdout) if ended.stdout else {"ok": False, "stderr": ended.stderr}

    def query(self, sql: str, *options: str) -> list[dict[str, Any]]:
        """The rows of `autocorp query`; integers are numbers, decimals are text."""
        ended = self.run("query", sql, "--format", "json", *options)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def copy(self, path: Path) -> DataFolder:
        """The same folder, to be changed without consequences; owners are kept, as the database needs."""
        subprocess.run(["cp", "-a", self.path, path], check=True)  # noqa: S607
        return DataFolder(path)

    def spark_logs(self) -> set[str]:
        """One log for each Spark job that ever started on the folder."""
        return {log.name for log in self.settings.logs_folder.glob("curate-*.log")}

    def processes(self) -> list[psutil.Process]:
        """What runs on the folder: named on its command line, or in its environment."""
        return [process for process in psutil.process_iter() if self._concerns(process)]

    def _concerns(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            words = process.cmdline()
            # Other users' environment is closed to us; what they run for us names the folder.
            home = process.environ().get("AUTOCORP_HOME") if process.uids().real == os.getuid() else None
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False
        inside = f"{self.path}/"
        return home == str(self.path) or any(f"{word}/".startswith(inside) for word in words)

    def assert_nothing_runs(self, *, within_seconds: float = 0) -> None:
        wait_for(lambda: not self.processes(), seconds=within_seconds, what=self._left_over)

    def _left_over(self) -> str:
        return f"left behind: {[process.cmdline() for process in self.processes()]}"

    def remove(self) -> None:
        shutil.rmtree(self.path)


def wait_for(condition: Callable[[], object], *, seconds: float, what: Callable[[], str]) -> None:
    """Returns once the condition holds; fails with `what` if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() <= deadline, what()
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes], number: signal.Signals, *, seconds: float) -> int:
    """Exit code after a signal."""
    process.send_signal(number)
    return process.wait(seconds)


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
