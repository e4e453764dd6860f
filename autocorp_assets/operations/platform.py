"""The platform as children of one process: source, replicator and Dagster, or on AWS Dagster alone."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from autocorp_assets.local.source.connection import Source, embedded, open_source
from autocorp_assets.local.supervision import Guarded
from autocorp_assets.operations.home_lock import hold_home
from autocorp_assets.operations.keeping import KeptProcess, KeptSource, Say
from autocorp_assets.settings import PROJECT_FOLDER, Settings

if TYPE_CHECKING:
    import psutil

HOST = "127.0.0.1"
READY_SECONDS = 120.0
POLL_SECONDS = 0.5
CODE_SERVER = ("api", "grpc")
CODE_SERVER_SECONDS = 15.0
"""How long the code location may be without its process before Dagster is started anew."""
LOOK_SECONDS = 5.0


class Kept(Protocol):
    """A part that `keep_running` starts again when it has ended; called twice a second."""

    def keep_running(self) -> None: ...


class PlatformError(RuntimeError):
    """The platform cannot start or go on; the message says what to do."""


@dataclass(kw_only=True)
class CodeServer:
    """Dagster's process that holds our code, which nothing in `dagster dev` starts again when it is killed."""

    _looked: float = 0.0
    _seen: float | None = None

    def ailment(self, dagster: int) -> str | None:
        """Why Dagster (a process id) does nothing although it runs; it looks every few seconds only."""
        import psutil

        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        try:
            family = psutil.Process(dagster).children(recursive=True)
        except psutil.NoSuchProcess:
            return None
        if any(map(_is_code_server, family)):
            self._seen = now
        if self._seen is None or now - self._seen < CODE_SERVER_SECONDS:
            return None
        self._seen = None
        return "had lost its code server"


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What runs, until the surrounding `with` ends."""

    url: str
    source: Source | None
    """Of the local deployment."""
    kept: Sequence[Kept]

    def watch(self) -> NoReturn:
        """Keep every part running, until the caller is interrupted."""
        while True:
            for part in self.kept:
                part.keep_running()
            time.sleep(POLL_SECONDS)


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
        SettingsError: the settings of the aws deployment cannot be used.
    """
    require_free(port)
    with ExitStack() as stack:
        stack.enter_context(hold_home(settings.home_folder))
        local = _start_local_parts(stack, settings, say) if settings.deployment == "local" else _LocalParts()
        if settings.deployment == "aws":
            # Here rather than in the log of Dagster's code server.
            say(f"lake {settings.aws.lake}; DMS, DataSync and Glue do the work")
        say("starting Dagster")
        dagster = KeptProcess(
            name="Dagster", launch=partial(_dagster, settings, port), say=say, ailment=CodeServer().ailment
        )
        url = f"http://{HOST}:{port}"
        stack.callback(dagster.stop)
        wait_until_ready(url, dagster.start())
        if settings.deployment == "local":
            stack.enter_context(_archive(settings))
        yield Platform(url=url, source=local.source, kept=[*local.kept, dagster])


@dataclass(frozen=True, kw_only=True)
class _LocalParts:
    """What runs beside Dagster."""

    source: Source | None = None
    kept: Sequence[Kept] = ()


def _start_local_parts(stack: ExitStack, settings: Settings, say: Say) -> _LocalParts:
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.local.replicator.source import PUBLICATION
    from autocorp_assets.local.source.preflight import require_ready
    from autocorp_assets.local.spark_runtime import prepare

    prepare(settings)
    say("starting the source")
    source = stack.enter_context(open_source(settings))
    if not source.is_embedded:
        require_ready(source.dsn, TABLES.values(), slot=settings.slot, publication=PUBLICATION)
    say("starting the replicator")
    replicator = KeptProcess(name="the replicator", launch=partial(_replicator, settings, source), say=say)
    replicator.start()
    stack.callback(replicator.stop)
    if not source.is_embedded:
        return _LocalParts(source=source, kept=[replicator])
    # The source first: without it the others only wait.
    kept_source = KeptSource(server=embedded(settings), say=say, on_moved=replicator.stop)
    return _LocalParts(source=source, kept=[kept_source, replicator])


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


def _replicator(settings: Settings, source: Source) -> Guarded:
    from autocorp_assets.local.replicator.__main__ import DSN_VARIABLE

    folders = ["--lake", settings.lake_folder, "--state", settings.replication_folder]
    return Guarded.start(
        [*_module("autocorp_assets.local.replicator"), *folders, "--slot", settings.slot],
        name="replicator",
        log=settings.logs_folder / "replicator.log",
        # In the environment, since arguments are for everybody to read. An embedded source may have moved.
        env={**os.environ, DSN_VARIABLE: embedded(settings).dsn if source.is_embedded else source.dsn},
        cwd=PROJECT_FOLDER,
    )


def _dagster(settings: Settings, port: int) -> Guarded:
    from autocorp_assets.operations.instance import prepare_home

    home = prepare_home(settings)
    url = settings.ui_url if "ui_url" in settings.model_fields_set else f"http://{HOST}:{port}"
    folders = {"DAGSTER_HOME": str(home), "AUTOCORP_HOME": str(settings.home_folder)}
    return Guarded.start(
        [*_module("dagster"), "dev", "--host", HOST, "--port", str(port), "--workspace", "workspace.yaml"],
        name="Dagster",
        log=settings.logs_folder / "dagster.log",
        env={**os.environ, **folders, "AUTOCORP_UI_URL": url},
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


def _is_code_server(process: psutil.Process) -> bool:
    import psutil

    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return any((one, other) == CODE_SERVER for one, other in pairwise(words))
