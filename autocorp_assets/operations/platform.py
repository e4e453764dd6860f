"""The whole platform of one machine as children of one process: source, replicator, Dagster."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from autocorp_assets.local.source.connection import Source, open_source
from autocorp_assets.local.supervision import Guarded
from autocorp_assets.operations.home_lock import hold_home
from autocorp_assets.settings import PROJECT_FOLDER, Settings

HOST = "127.0.0.1"
READY_SECONDS = 120.0
POLL_SECONDS = 0.5
LONGEST_BACK_OFF_SECONDS = 60.0
STEADY_SECONDS = 60.0
"""A replicator that ran for so long had no start-up trouble: the next back-off begins anew."""

Say = Callable[[str], None]


class PlatformError(RuntimeError):
    """The platform cannot start or go on; the message says what to do."""


@dataclass(kw_only=True)
class Replicator:
    """The long-lived replicator, started again with growing pauses whenever it ends."""

    settings: Settings
    source: Source
    say: Say
    _child: Guarded | None = None
    _started: float = 0.0
    _back_off: float = 1.0

    def start(self) -> None:
        from autocorp_assets.local.replicator.__main__ import DSN_VARIABLE

        folders = ["--lake", self.settings.lake, "--state", self.settings.replication_folder]
        slot = ["--slot", self.settings.slot]
        self._child = Guarded.start(
            [sys.executable, "-m", "autocorp_assets.local.replicator", *folders, *slot],
            name="replicator",
            log=self.settings.logs_folder / "replicator.log",
            # In the environment, since arguments are for everybody to read.
            env={**os.environ, DSN_VARIABLE: self.source.dsn},
            cwd=PROJECT_FOLDER,
        )
        self._started = time.monotonic()

    def keep_running(self) -> None:
        """Start it again once its pause is over; says so."""
        if self._child is None or (code := self._child.poll()) is None:
            return
        ran = time.monotonic() - self._started
        if ran < self._back_off:
            return
        self._back_off = 1.0 if ran > STEADY_SECONDS else min(2 * self._back_off, LONGEST_BACK_OFF_SECONDS)
        self.say(f"the replicator ended with code {code}; started again. Its log: {self._child.log}")
        self.start()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What runs, until the surrounding `with` ends."""

    url: str
    source: Source
    replicator: Replicator
    dagster: Guarded

    def watch(self) -> None:
        """Blocks while all is well, and keeps the replicator running.

        Raises:
            PlatformError: Dagster has ended.
        """
        while (code := self.dagster.poll()) is None:
            self.replicator.keep_running()
            time.sleep(POLL_SECONDS)
        message = f"Dagster ended with code {code}. Its log: {self.dagster.log}\n{last_lines(self.dagster.log)}"
        raise PlatformError(message)


@contextmanager
def run_platform(settings: Settings, *, port: int, say: Say) -> Generator[Platform]:
    """Start everything, in order, and stop it in the opposite order.

    Args:
        settings: the data folder and the source.
        port: of the webserver, on loopback.
        say: takes one line for the operator.

    Raises:
        PlatformError: the port is in use, or Dagster does not come up.
        HomeInUseError: the data folder is in use.
        SourceError: the source is not fit to be read from.
        JarError: what Spark needs cannot be fetched.
    """
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.local.replicator.source import PUBLICATION
    from autocorp_assets.local.source.preflight import require_ready
    from autocorp_assets.local.spark_runtime import prepare

    require_free(port)
    with ExitStack() as stack:
        stack.enter_context(hold_home(settings.home_folder))
        prepare(settings)
        say("starting the source")
        source = stack.enter_context(open_source(settings))
        if not source.is_embedded:
            require_ready(source.dsn, TABLES.values(), slot=settings.slot, publication=PUBLICATION)
        say("starting the replicator")
        replicator = Replicator(settings=settings, source=source, say=say)
        replicator.start()
        stack.callback(replicator.stop)
        say("starting Dagster")
        dagster = stack.enter_context(_dagster(settings, port))
        url = f"http://{HOST}:{port}"
        wait_until_ready(url, dagster)
        stack.enter_context(_archive(settings))
        yield Platform(url=url, source=source, replicator=replicator, dagster=dagster)


def require_free(port: int) -> None:
    """Raises PlatformError when somebody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = f"port {port} is taken ({error.strerror}): choose another, `autocorp dev --port {port + 1}`"
            raise PlatformError(message) from error


def wait_until_ready(url: str, dagster: Guarded) -> None:
    """Returns once the webserver answers.

    Raises:
        PlatformError: it did not in READY_SECONDS, or has ended.
    """
    import requests

    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and dagster.poll() is None:
        try:
            if requests.get(f"{url}/server_info", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(POLL_SECONDS)
    message = f"Dagster did not come up. Its log: {dagster.log}\n{last_lines(dagster.log)}"
    raise PlatformError(message)


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _dagster(settings: Settings, port: int) -> Guarded:
    from autocorp_assets.operations.instance import prepare_home

    home = prepare_home(settings)
    return Guarded.start(
        [*_module("dagster"), "dev", "--host", HOST, "--port", str(port), "--workspace", "workspace.yaml"],
        name="Dagster",
        log=settings.logs_folder / "dagster.log",
        env={**os.environ, "DAGSTER_HOME": str(home), "AUTOCORP_HOME": str(settings.home_folder)},
        cwd=PROJECT_FOLDER,
        grace_seconds=20,
    )


def _archive(settings: Settings) -> Guarded:
    """Makes later Spark jobs start faster; made once a machine, at the lowest priority."""
    return Guarded.start(
        _module("autocorp_assets.local.class_archive"),
        name="class archive",
        log=settings.logs_folder / "class_archive.log",
        cwd=PROJECT_FOLDER,
    )


def _module(name: str) -> Sequence[str]:
    return [sys.executable, "-m", name]
