"""What the platform is made of comes back by itself, and says so."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from autocorp_assets.local.source.postgres import EmbeddedPostgres
from autocorp_assets.local.supervision import Guarded
from autocorp_assets.operations import keeping
from autocorp_assets.operations.keeping import KeptProcess, KeptSource
from autocorp_assets.operations.platform import CodeServer


def until(condition: Callable[[], object], keep: Callable[[], None], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        keep()
        time.sleep(0.05)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Guarded]]:
    """Starts a Python program under a guard."""
    started: list[Guarded] = []

    def launch(program: str) -> Guarded:
        started.append(Guarded.start([sys.executable, "-c", program], name="part", log=tmp_path / "part.log"))
        return started[-1]

    yield launch
    for child in started:
        child.stop()


def test_what_ends_is_started_again_and_told(start, told):
    part = KeptProcess(name="the part", launch=lambda: start("raise SystemExit(3)"), say=told.append)
    part.start()

    until(lambda: len(told) == 1, part.keep_running)

    assert told[0].startswith("the part ended with code 3; started again. Its log: ")


def test_what_ends_at_once_each_time_is_started_less_and_less_often(start, told, monkeypatch):
    monkeypatch.setattr(keeping, "LONGEST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(keeping, "FIRST_PAUSE_SECONDS", 0.5)
    part = KeptProcess(name="the part", launch=lambda: start("raise SystemExit(3)"), say=told.append, _pause=0.5)
    part.start()
    began = time.monotonic()

    until(lambda: len(told) == 3, part.keep_running)

    assert time.monotonic() - began > 0.5 + 1.0 + 1.0


def test_what_runs_without_being_of_use_is_stopped_and_started_again(start, told):
    ailing = iter([None, "has lost its mind"])
    part = KeptProcess(
        name="the part",
        launch=lambda: start("import time; time.sleep(600)"),
        say=told.append,
        ailment=lambda _: next(ailing, None),
    )
    first = part.start()

    until(lambda: told, part.keep_running)

    assert not psutil.pid_exists(first.pid) or first.poll() is not None
    part.stop()


def test_dagster_without_its_code_server_is_of_no_use(start, monkeypatch):
    monkeypatch.setattr("autocorp_assets.operations.platform.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("autocorp_assets.operations.platform.CODE_SERVER_SECONDS", 0.2)
    server = "import time; time.sleep(600)"
    dagster = start(
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {server!r}, 'api', 'grpc'])\n"
        "time.sleep(600)"
    )
    look = CodeServer()
    family = psutil.Process(dagster.pid)
    until(lambda: len(family.children(recursive=True)) == 2, lambda: None)
    assert look.ailment(dagster.pid) is None
    next(child for child in family.children(recursive=True) if "grpc" in child.cmdline()).kill()

    until(lambda: look.ailment(dagster.pid) == "had lost its code server", lambda: None)


def test_a_killed_source_comes_back_with_its_data(tmp_path, told):
    server = EmbeddedPostgres(tmp_path / "source")
    server.start(guarded=True)
    moved: list[str] = []
    kept = KeptSource(
        server=EmbeddedPostgres(tmp_path / "source"), say=told.append, on_moved=lambda: moved.append(server.dsn)
    )
    try:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        kept.keep_running()
        assert told == []
        psutil.Process(int((server.cluster.data / "postmaster.pid").read_text().split()[0])).kill()

        until(lambda: told, kept.keep_running)

        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
        assert told == ["the source had ended; started again"]
        assert moved == []
    finally:
        kept.server.stop()
