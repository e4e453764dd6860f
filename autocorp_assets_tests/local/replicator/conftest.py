"""A source with the operational schema, and a replicator pointed at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

import autocorp_assets.local.source
from autocorp_assets.local.replicator.__main__ import DSN_VARIABLE
from autocorp_assets.local.replicator.checkpoint import Checkpoint
from autocorp_assets.local.replicator.service import replicate

SCHEMA = Path(autocorp_assets.local.source.__file__).with_name("schema.sql")


@dataclass
class Replica:
    """One state folder and lake, replicated in this process or by a child."""

    dsn: str
    lake: Path
    state: Path
    told: list[str] = field(default_factory=list)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def catch_up(self, *, deadline: float = 60) -> Checkpoint:
        return replicate(
            dsn=self.dsn,
            lake=self.lake,
            state=self.state,
            until_caught_up=True,
            deadline_seconds=deadline,
            stop=None,
            on_progress=self.told.append,
        )

    def start(self, *, flush: float = 0.05) -> subprocess.Popen[bytes]:
        """A replicator in a process of its own, which appends to replicator.log."""
        options = {"--lake": self.lake, "--state": self.state, "--flush": flush}
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "autocorp_assets.local.replicator",
                    *(str(x) for o in options.items() for x in o),
                ],
                env={**os.environ, DSN_VARIABLE: self.dsn},
                stdout=log,
                stderr=log,
            )
        self.children.append(child)
        return child

    @property
    def log(self) -> Path:
        return self.state.parent / "replicator.log"


@pytest.fixture
def source(database: str) -> str:
    with psycopg.connect(database) as connection:
        connection.execute(SCHEMA.read_bytes())
    return database


@pytest.fixture
def replica(source: str, tmp_path: Path) -> Iterator[Replica]:
    (tmp_path / "lake").mkdir()
    replica = Replica(source, tmp_path / "lake", tmp_path / "state")
    yield replica
    for child in replica.children:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            child.wait()


@pytest.fixture
def run(source: str) -> Iterator[Callable[..., None]]:
    """Runs statements on the source, each its own transaction."""
    with psycopg.connect(source, autocommit=True) as connection:

        def execute(*statements: str) -> None:
            for statement in statements:
                connection.execute(statement.encode())

        yield execute


def wait_for(condition: Callable[[], object], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
