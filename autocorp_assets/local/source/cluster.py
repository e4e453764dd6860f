"""The files of the embedded PostgreSQL: its data, made once and whole, its password and its port."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.local.source.launch import Launch

HOST = "127.0.0.1"
USER = DATABASE = "autocorp"
MAJOR_VERSION = "17"
_INITDB_SECONDS = 120
_SHOWN_LINES = 15


@dataclass(frozen=True)
class Cluster:
    """Where everything of one embedded PostgreSQL lies."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def passfile(self) -> Path:
        """libpq's password file: for our user, on loopback, whatever the port."""
        return self.folder / "pgpass"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def _port_file(self) -> Path:
        return self.folder / "port"

    @property
    def dsn(self) -> str:
        """Connection string; the password stays in the file that it names.

        Raises:
            SourceError: There is no cluster yet.
        """
        port = self._recorded_port()
        if port is None or not self.passfile.exists():
            raise SourceError(f"There is no database in {self.folder} yet. Make and start it: autocorp source start")
        return f"postgresql://{USER}@{HOST}:{port}/{DATABASE}?passfile={quote(str(self.passfile), safe='/')}"

    def require_ownership(self) -> None:
        """Stop early when another user made these files.

        Raises:
            SourceError: Says whose they are, and the command that changes it.
        """
        if os.geteuid() == 0:
            return
        for path in (self.folder, self.data, self.passfile):
            if path.exists() and path.stat().st_uid != os.geteuid():
                raise SourceError(
                    f"{path} belongs to user {path.stat().st_uid}, and this is user {os.geteuid()}. Run as that user, "
                    f"or take it over while the server is stopped: sudo chown -R {os.geteuid()} {self.folder}"
                )

    def create(self, launch: Launch) -> None:
        """Make the cluster unless it is there; a half-made one of an earlier attempt is redone.

        Raises:
            SourceError: The folder holds something else, or PostgreSQL's tools failed.
        """
        for abandoned in self.folder.glob("initialising-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        if self._exists():
            return
        # A name of its own: the tools of a killed attempt may still be writing theirs.
        staging = Path(tempfile.mkdtemp(prefix="initialising-", dir=self.folder))
        password_file = staging / "password"
        write_private(password_file, self._password())
        if launch.uid is not None:
            give_to(staging, uid=launch.uid)
        _initialise(launch, staging / "data", password_file=password_file)
        (staging / "data").rename(self.data)
        _sync_folder(self.folder)
        shutil.rmtree(staging)

    def own_by(self, launch: Launch) -> None:
        """Give the data to the user that the server is going to run as."""
        if self.data.stat().st_uid != launch.owner:
            give_to(self.data, uid=launch.owner)

    def choose_port(self) -> int:
        """The port that the server had before, unless somebody else listens there now."""
        port = self._recorded_port()
        if port is None or not _is_free(port):
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                port = probe.getsockname()[1]
            write_private(self._port_file, str(port))
        return port

    def log_tail(self, *, since: int = 0) -> str:
        """The last lines that the server wrote behind this offset of its log."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(since)
            return last_lines(log.read().decode(errors="replace"))
        return "(empty)"

    def _exists(self) -> bool:
        version_file = self.data / "PG_VERSION"
        if not version_file.exists():
            if self.data.exists() and any(self.data.iterdir()):
                raise SourceError(f"{self.data} is not a PostgreSQL cluster. Move it away and start again.")
            return False
        if (version := version_file.read_text().strip()) != MAJOR_VERSION:
            raise SourceError(
                f"{self.data} was made by PostgreSQL {version}, and the embedded one is {MAJOR_VERSION}. Dump it with "
                f"the old version, or move {self.folder} away to begin with a new database."
            )
        if not self.passfile.exists():
            raise SourceError(
                f"The password file {self.passfile} is gone. Restore it, or move {self.folder} away to begin anew."
            )
        return True

    def _password(self) -> str:
        """The password on file; made up and stored first when there is none."""
        if not self.passfile.exists():
            write_private(self.passfile, f"{HOST}:*:*:{USER}:{secrets.token_urlsafe(24)}\n")
        return self.passfile.read_text().strip().rpartition(":")[2]

    def _recorded_port(self) -> int | None:
        try:
            return int(self._port_file.read_text())
        except (FileNotFoundError, ValueError):
            return None


def _initialise(launch: Launch, data: Path, *, password_file: Path) -> None:
    initdb = launch.command(
        "initdb",
        f"--pgdata={data}",
        f"--username={USER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    )
    _run(launch, initdb)
    # Without a server: the cluster is complete before it gets its final name.
    single_user = launch.command("postgres", "--single", "-D", data, "-c", "exit_on_error=on", "postgres")
    _run(launch, single_user, stdin=f"CREATE DATABASE {DATABASE};\n")


def _run(launch: Launch, command: list[str], *, stdin: str | None = None) -> None:
    program = command[len(launch.prefix)]
    try:
        done = launch.run(command, stdin=stdin, timeout_seconds=_INITDB_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise SourceError(f"{program} could not be run: {error}") from error
    if done.returncode != 0:
        raise SourceError(
            f"{program} failed with exit code {done.returncode}. Its last lines, which name the cause (a full disk, a "
            f"limit of the machine):\n{last_lines(done.stdout)}\nRemedy it and start again; nothing has to be removed."
        )


def last_lines(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-_SHOWN_LINES:]) or "(empty)"


def write_private(path: Path, content: str) -> None:
    """Replace a file that only we may read, so that after a crash it is the old or the new one."""
    staged = path.with_name(f".{path.name}.new")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_to(tree: Path, *, uid: int) -> None:
    """Change user and group of everything in the folder, links themselves included."""
    for path in (tree, *tree.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As PostgreSQL itself does: connections that have ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
