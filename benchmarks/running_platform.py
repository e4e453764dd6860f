"""What the benchmarks of the running platform share: a real `autocorp dev`, until it has nothing left to do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.contracts import TABLES
from autocorp_assets.operations.instance import open_instance
from autocorp_assets.settings import PROJECT_FOLDER, Settings

AUTOCORP = (sys.executable, "-c", "from autocorp_assets.cli.main import app; app()")
START_SECONDS = 600.0
"""The seed of an empty data folder is part of it."""
SETTLE_SECONDS = 900.0
QUIET_SECONDS = 75.0
"""Views follow their tables at most once a minute: without a run for longer, nothing more comes of what there was."""
STOP_SECONDS = 60.0
LOOK_SECONDS = 0.1
PARTS = {
    "supervision.py": "guards",
    "dagster_webserver": "webserver",
    "dagster._daemon": "daemon",
    "api grpc": "code_server",
    "code-server start": "code_server_proxy",
    "dagster dev": "dagster_dev",
    "autocorp_assets.local.replicator": "replicator",
    "autocorp_assets.local.class_archive": "class_archive",
    "postgres": "postgresql",
    "cli.main": "autocorp_dev",
}
"""Words of a command line, and what the process is. The first that fits counts: a guard names what it guards."""
MAKES_THE_ARCHIVE = "class_archive"


@dataclass(frozen=True, kw_only=True)
class RunningPlatform:
    """An `autocorp dev` that has said that it is ready."""

    settings: Settings
    port: int
    seconds_to_ready: float
    process: psutil.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """All that runs now, with what it is."""
        return family(self.process)

    def settle(self) -> None:
        """Returns once the tables are there, their views were asked and nothing is under way.

        Raises:
            TimeoutError: it does not become quiet.
        """
        with open_instance(self.settings) as instance:
            wait_for(
                lambda: self._is_quiet(instance), seconds=SETTLE_SECONDS, what="the platform has work all the time"
            )

    def _is_quiet(self, instance: dg.DagsterInstance) -> bool:
        time.sleep(1)
        newest = instance.get_run_records(limit=1)
        if not newest or not newest[0].dagster_run.is_finished:
            return False
        exist = all(instance.get_latest_materialization_event(curated_key(name)) for name in TABLES)
        is_over = time.time() - (newest[0].end_time or 0.0) > QUIET_SECONDS
        return exist and is_over and all(part != MAKES_THE_ARCHIVE for part, _ in self.processes())


@contextmanager
def running_platform(home: Path) -> Generator[RunningPlatform]:
    """`autocorp dev` on this data folder, from its start as an operator types it until it is told to stop.

    Raises:
        TimeoutError: it does not say that it is ready.
    """
    port, output = free_port(), home.parent / f"{home.name}.log"
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOCORP_", "DAGSTER_"))}
    started = time.monotonic()
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [*AUTOCORP, "dev", "--port", str(port)],
            cwd=PROJECT_FOLDER,
            env={**ours, "AUTOCORP_HOME": str(home)},
            stdout=stream,
            stderr=stream,
        )
    try:
        wait_for(lambda: b"ready:" in output.read_bytes(), seconds=START_SECONDS, what=f"see {output}")
        yield RunningPlatform(
            settings=Settings(home=home),
            port=port,
            seconds_to_ready=time.monotonic() - started,
            process=psutil.Process(process.pid),
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def family(process: psutil.Process) -> Iterator[tuple[str, psutil.Process]]:
    """The process and all below it, with what each is."""
    for one in (process, *process.children(recursive=True)):
        try:
            words = " ".join(one.cmdline()) or one.name()
        except psutil.Error:
            continue
        yield next((part for sign, part in PARTS.items() if sign in words), "runs"), one


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Returns once the condition holds.

    Raises:
        TimeoutError: it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"not within {seconds:.0f} s: {what}"
            raise TimeoutError(message)
        time.sleep(LOOK_SECONDS)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
