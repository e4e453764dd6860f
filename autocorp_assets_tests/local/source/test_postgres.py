"""The embedded PostgreSQL: made once, started, stopped, and back after every kind of death."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import conninfo

from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.local.source.postgres import EmbeddedPostgres
from autocorp_assets.settings import PROJECT_FOLDER

IN_ANOTHER_PROCESS = """
import sys, time
from pathlib import Path
from autocorp_assets.local.source.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
{action}
print("done", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a cluster that was made and never started: copies are quicker than new ones."""
    folder = tmp_path_factory.mktemp("made") / "source"
    EmbeddedPostgres(folder).ensure_initialised()
    return folder


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server whose folder does not exist yet."""
    # Processes are killed here, not the machine: nothing has to reach its disk.
    server = EmbeddedPostgres(tmp_path / "source", settings={"fsync": "off"})
    yield server
    server.stop()


@pytest.fixture
def server(new_server: EmbeddedPostgres, made: Path) -> EmbeddedPostgres:
    """A server that may be started."""
    subprocess.run(["/bin/cp", "--archive", made, new_server.cluster.folder], check=True)
    return new_server


def another_process(server: EmbeddedPostgres, action: str) -> subprocess.Popen[str]:
    script = IN_ANOTHER_PROCESS.format(action=action)
    arguments = [sys.executable, "-c", script, str(server.cluster.folder)]
    return subprocess.Popen(arguments, cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, text=True)


def eventually(condition: Callable[[], bool], *, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def postmaster_of(server: EmbeddedPostgres) -> int:
    return int((server.cluster.data / "postmaster.pid").read_text().splitlines()[0])


def rows_of(server: EmbeddedPostgres) -> list[tuple[int]]:
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (id INT)")
        connection.execute("INSERT INTO kept SELECT count(*) FROM kept")
        return connection.execute("SELECT id FROM kept ORDER BY id").fetchall()


def test_the_connection_string_works_and_holds_no_password(postgres: EmbeddedPostgres) -> None:
    password = postgres.cluster.passfile.read_text().strip().rpartition(":")[2]

    assert password not in postgres.dsn
    with psycopg.connect(postgres.dsn) as connection:
        row = connection.execute(
            "SELECT current_user, current_database(), current_setting('wal_level'), current_setting('timezone')"
        ).fetchone()
    assert row == ("autocorp", "autocorp", "logical", "UTC")


def test_only_loopback_is_listened_on(postgres: EmbeddedPostgres) -> None:
    server = psutil.Process(postmaster_of(postgres))
    listening = {connection.laddr.ip for connection in server.net_connections("all") if connection.status == "LISTEN"}

    assert listening == {"127.0.0.1"}
    assert not server.net_connections("unix")


def test_nobody_gets_in_without_the_password(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    other = tmp_path / "pgpass"
    other.write_text("127.0.0.1:*:*:autocorp:wrong\n")
    other.chmod(0o600)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(conninfo.make_conninfo(postgres.dsn, passfile=str(other)))
    assert postgres.cluster.passfile.stat().st_mode & 0o777 == 0o600


def test_there_is_no_connection_string_before_there_is_a_database(new_server: EmbeddedPostgres) -> None:
    with pytest.raises(SourceError, match="autocorp source start"):
        _ = new_server.dsn
    assert not new_server.is_running()


def test_rows_port_and_password_survive_a_restart(server: EmbeddedPostgres) -> None:
    assert server.start(guarded=True)
    address = server.dsn
    assert rows_of(server) == [(0,)]
    assert not server.start(guarded=True), "it runs already"
    server.stop()
    assert not server.is_running()

    assert server.start(guarded=True)
    assert server.dsn == address
    assert rows_of(server) == [(0,), (1,)]


def test_a_server_that_is_on_its_way_down_is_waited_for(server: EmbeddedPostgres) -> None:
    server.start(guarded=False)
    rows_of(server)
    os.kill(postmaster_of(server), signal.SIGINT)
    assert eventually(lambda: not server.is_running())

    assert server.start(guarded=True)
    assert rows_of(server) == [(0,), (1,)]


def test_a_port_that_somebody_took_is_left_to_them(server: EmbeddedPostgres) -> None:
    server.start(guarded=True)
    address = server.dsn
    server.stop()
    port = int(conninfo.conninfo_to_dict(address)["port"] or 0)

    with socket.create_server(("127.0.0.1", port)):
        server.start(guarded=True)
        assert server.dsn != address
        assert rows_of(server) == [(0,)]


def test_committed_rows_survive_kill_9_of_the_server(server: EmbeddedPostgres) -> None:
    server.start(guarded=False)
    rows_of(server)
    os.kill(postmaster_of(server), signal.SIGKILL)
    assert eventually(lambda: not server.is_running())

    server.start(guarded=True)

    assert rows_of(server) == [(0,), (1,)]


def test_a_pid_file_whose_number_went_to_another_program_does_not_mislead(server: EmbeddedPostgres) -> None:
    server.start(guarded=True)
    pid_file = server.cluster.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert not server.is_running()

    assert server.start(guarded=True)
    assert rows_of(server) == [(0,)]


def test_a_guarded_server_ends_with_a_killed_parent(server: EmbeddedPostgres) -> None:
    parent = another_process(server, "server.start(guarded=True)")
    assert parent.stdout is not None
    assert parent.stdout.readline() == "done\n"
    postmaster = postmaster_of(server)
    assert server.is_running()

    parent.kill()
    parent.communicate()

    assert eventually(lambda: not psutil.pid_exists(postmaster))
    server.start(guarded=True)
    assert rows_of(server) == [(0,)]


def test_an_unguarded_server_outlives_its_parent_until_anybody_stops_it(server: EmbeddedPostgres) -> None:
    parent = another_process(server, "server.start(guarded=False)")
    assert parent.stdout is not None
    assert parent.stdout.readline() == "done\n"
    parent.kill()
    parent.communicate()
    assert rows_of(server) == [(0,)]

    server.stop()

    assert not server.is_running()


def test_an_initialisation_that_is_killed_is_redone(new_server: EmbeddedPostgres) -> None:
    parent = another_process(new_server, "server.ensure_initialised()")
    assert eventually(lambda: any(new_server.cluster.folder.glob("initialising-*/data/PG_VERSION")))
    parent.kill()
    parent.communicate()
    assert not new_server.cluster.data.exists()

    new_server.start(guarded=True)

    assert rows_of(new_server) == [(0,)]


def test_processes_that_start_at_once_share_one_server(new_server: EmbeddedPostgres) -> None:
    parents = [another_process(new_server, "print(server.start(guarded=False))") for _ in range(3)]
    said = [parent.stdout.readline() if parent.stdout else "" for parent in parents]
    for parent in parents:
        parent.kill()
        parent.communicate()

    assert sorted(said) == ["False\n", "False\n", "True\n"]
    assert rows_of(new_server) == [(0,)]


def test_a_server_that_refuses_to_start_shows_its_own_words(server: EmbeddedPostgres) -> None:
    mistaken = EmbeddedPostgres(server.cluster.folder, settings={"max_wal_senders": "many"})

    with pytest.raises(SourceError, match=r'invalid value for parameter "max_wal_senders": "many"'):
        mistaken.start(guarded=True)
    assert not mistaken.is_running()


def test_a_folder_with_something_else_is_not_overwritten(new_server: EmbeddedPostgres) -> None:
    new_server.cluster.data.mkdir(parents=True)
    (new_server.cluster.data / "thesis.txt").write_text("irreplaceable")

    with pytest.raises(SourceError, match="not a PostgreSQL cluster"):
        new_server.start(guarded=True)
    assert (new_server.cluster.data / "thesis.txt").read_text() == "irreplaceable"


def test_a_cluster_of_another_version_is_explained(new_server: EmbeddedPostgres) -> None:
    new_server.cluster.data.mkdir(parents=True)
    (new_server.cluster.data / "PG_VERSION").write_text("16\n")

    with pytest.raises(SourceError, match="made by PostgreSQL 16"):
        new_server.start(guarded=True)


def test_a_foreign_password_in_the_environment_is_explained(
    new_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "geheim")

    with pytest.raises(SourceError, match="unset PGPASSWORD") as raised:
        new_server.start(guarded=True)
    assert "geheim" not in str(raised.value)
