"""The processes of a running platform, by what they are, and their violent death."""

from __future__ import annotations

import contextlib
import random
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


class Victim(StrEnum):
    """What can be killed, or taken away."""

    REPLICATOR = "replicator"
    SPARK_JVM = "Spark JVM"
    SPARK_JOB = "Spark job"
    """The Python process that drives the JVM."""
    RUN_WORKER = "Dagster run worker"
    CODE_SERVER = "Dagster code server"
    DAEMON = "Dagster daemon"
    WEBSERVER = "Dagster webserver"
    POSTMASTER = "PostgreSQL"
    BACKEND = "PostgreSQL backend"
    """Any process below the postmaster: the server then recovers as after a crash."""
    PLATFORM = "autocorp dev"
    """The process alone: what it started has to notice."""
    EVERYTHING = "everything at once"
    """As when the machine loses its power."""
    SOURCE = "source away"
    """Nobody is killed: the source is stopped, and does not come back for a while."""
    SLOT = "replication slot"
    """Dropped behind the replicator's back, and with it changes: all tables have to be loaded again."""


STOPS_WORK = frozenset(Victim) - {
    Victim.REPLICATOR,
    Victim.POSTMASTER,
    Victim.BACKEND,
    Victim.SOURCE,
    Victim.SLOT,
}
"""Without which nothing is curated: these are killed when something is."""
_BY_WORD = {
    "autocorp_assets.local.replicator": Victim.REPLICATOR,
    "autocorp_assets.local.spark_runner": Victim.SPARK_JOB,
    "dagster._daemon": Victim.DAEMON,
    "dagster_webserver": Victim.WEBSERVER,
    "--multiprocessing-fork": Victim.RUN_WORKER,
}
_COMMAND_LINE = "from autocorp_assets.cli.main import app"


def kind_of(words: list[str], name: str) -> Victim | None:
    """What a process is, by its command line; None for guards and for what is not worth a kill. Pure."""
    if not words or any(word.endswith("supervision.py") for word in words):
        return None
    if (found := next((_BY_WORD[word] for word in words if word in _BY_WORD), None)) is not None:
        return found
    if words[0].startswith("postgres:"):
        return Victim.BACKEND
    others = {
        Victim.SPARK_JVM: name == "java",
        Victim.CODE_SERVER: bool({("api", "grpc"), ("code-server", "start")} & set(pairwise(words))),
        Victim.POSTMASTER: words[0].endswith("/postgres"),
        Victim.PLATFORM: any(_COMMAND_LINE in word for word in words),
    }
    return next((victim for victim, is_it in others.items() if is_it), None)


def living(guard: int) -> dict[Victim, list[psutil.Process]]:
    """Every process below the guard of a platform, which on Linux adopts those whose parents have died."""
    import psutil

    found: dict[Victim, list[psutil.Process]] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(guard).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                kind = kind_of(process.cmdline(), process.name())
                if kind is not None and process.status() != psutil.STATUS_ZOMBIE:
                    found.setdefault(kind, []).append(process)
    return found


def kill(victim: Victim, guard: int, chance: random.Random) -> list[int]:
    """SIGKILL to one process of that kind, or to every process there is; the ids of those killed."""
    import psutil

    if victim is Victim.EVERYTHING:
        with contextlib.suppress(psutil.NoSuchProcess):
            return _kill_all(psutil.Process(guard).children(recursive=True))
        return []
    found = living(guard).get(victim, [])
    return _kill_all([chance.choice(found)] if found else [])


def _kill_all(processes: list[psutil.Process]) -> list[int]:
    import psutil

    killed = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            killed.append(process.pid)
    return killed
