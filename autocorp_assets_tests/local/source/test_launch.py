"""As whom PostgreSQL runs: whatever the machine allows, without a new user or a changed parent folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.local.source.launch import NOBODY, Launch, find_launch, installed_programs
from autocorp_assets.local.source.postgres import EmbeddedPostgres
from autocorp_assets.settings import PROJECT_FOLDER

IS_ROOT = os.geteuid() == 0
DAEMON = 1
"""A user that has a name on every Linux."""
NAMELESS = 1_234_567
"""A user without an entry, as containers are given."""

has_open_programs = Launch(programs=installed_programs(), uid=NOBODY).works_in(Path("/")) if IS_ROOT else False
needs_open_programs = pytest.mark.skipif(not has_open_programs, reason="needs root, and programs that all may run")
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user reaches; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="autocorp-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def as_ordinary_user(script: str, *arguments: str | Path, uid: int = DAEMON) -> subprocess.CompletedProcess[str]:
    """Run as one who is not root: below a user namespace, so that it also works where only root reaches Python."""
    identity = ["unshare", "--user", f"--map-user={uid}", f"--map-group={uid}"]
    return subprocess.run(
        [*identity, sys.executable, "-c", script, *map(str, arguments)],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_server_learns_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", "postgresql://u:geheim@localhost/x")

    assert "geheim" not in find_launch(tmp_path).run(["/usr/bin/env"], timeout_seconds=10).stdout


def test_the_launch_found_runs_the_programs(tmp_path: Path) -> None:
    launch = find_launch(tmp_path)

    done = launch.run(launch.command("postgres", "--version"), timeout_seconds=10)
    assert "PostgreSQL) 17" in done.stdout
    assert launch.run([*launch.prefix, "id", "-u"], timeout_seconds=10).stdout.strip() != "0"


@needs_open_programs
def test_root_becomes_nobody_where_everybody_gets(open_folder: Path) -> None:
    launch = find_launch(open_folder)

    assert (launch.uid, launch.owner, launch.prefix) == (NOBODY, NOBODY, ())


@needs_open_programs
def test_root_in_somebodys_private_home_becomes_its_owner(open_folder: Path) -> None:
    home = open_folder / "home"
    (home / "source").mkdir(parents=True)
    home.chmod(0o700)
    os.chown(home, DAEMON, DAEMON)

    assert find_launch(home / "source").uid == DAEMON


@needs_root
def test_root_below_a_private_folder_of_its_own_uses_a_user_namespace(open_folder: Path) -> None:
    open_folder.chmod(0o700)

    launch = find_launch(open_folder)

    assert launch.prefix[0] == "unshare"
    assert launch.owner == 0


@needs_root
def test_programs_out_of_reach_are_copied_when_there_are_no_namespaces(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_reach = tmp_path / "private"
    out_of_reach.mkdir(mode=0o700)
    (out_of_reach / "pginstall").symlink_to(installed_programs().parent)
    monkeypatch.setenv("PATH", str(tmp_path))  # no `unshare` here, as in a container that forbids it

    launch = find_launch(open_folder, programs=out_of_reach / "pginstall" / "bin")

    assert launch.uid == NOBODY
    assert launch.programs.is_relative_to(open_folder)
    assert find_launch(open_folder, programs=out_of_reach / "pginstall" / "bin") == launch


@needs_root
def test_when_nothing_works_the_error_says_where_it_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SourceError, match="AUTOCORP_HOME"):
        find_launch(tmp_path)


@needs_root
def test_a_data_folder_that_becomes_private_keeps_working(open_folder: Path) -> None:
    server = EmbeddedPostgres(open_folder / "source")
    server.start(guarded=True)
    server.stop()
    open_folder.chmod(0o700)

    server.start(guarded=True)
    try:
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()
    assert open_folder.stat().st_mode & 0o777 == 0o700


@needs_root
@pytest.mark.parametrize("uid", [DAEMON, NAMELESS])
def test_an_ordinary_user_needs_nothing_special(open_folder: Path, uid: int) -> None:
    open_folder.chmod(0o700)
    script = """
import psycopg, sys
from pathlib import Path
from autocorp_assets.local.source.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start(guarded=True)
print(psycopg.connect(server.dsn).execute("SELECT current_user").fetchone())
server.stop()
"""
    done = as_ordinary_user(script, open_folder / "source", uid=uid)

    assert done.stdout == "('autocorp',)\n", done.stderr


@needs_root
def test_another_users_folder_is_not_touched_but_explained(open_folder: Path) -> None:
    (open_folder / "source").mkdir()
    os.chown(open_folder / "source", NOBODY, NOBODY)
    script = """
import sys
from pathlib import Path
from autocorp_assets.local.source.postgres import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start(guarded=True)
"""
    done = as_ordinary_user(script, open_folder / "source")

    assert done.returncode != 0
    assert f"sudo chown -R {DAEMON} {open_folder / 'source'}" in done.stderr
