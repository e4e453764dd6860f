"""The whole torture: a platform of its own, load, kills, rest, verdict."""

from __future__ import annotations

import random
import shutil
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autocorp_assets.contracts import TABLES
from autocorp_assets.operations.own_folder import own_folder
from autocorp_assets.operations.torture.assassin import Assassin, Pace
from autocorp_assets.operations.torture.dev import Dev
from autocorp_assets.operations.torture.exports import Exports
from autocorp_assets.operations.torture.traffic import Traffic
from autocorp_assets.operations.torture.verdict import TableVerdict, judge_accounts, judge_deliveries, judge_tables
from autocorp_assets.operations.torture.victims import Victim
from autocorp_assets.settings import PROJECT_FOLDER, Settings

MARKER = "torture.json"
KILLS_FILE = "kills.jsonl"
POLL_SECONDS = 0.5
READY_SECONDS = 180.0
LEAST_KILLS = 3
EXTRA_SECONDS = 60.0
HARD = Pace(pause_seconds=2, patience_seconds=8, work_seconds=5, away_seconds=3, rest_seconds=15)
STEADY = Pace(pause_seconds=5, patience_seconds=30, work_seconds=20, away_seconds=30, rest_seconds=240)
SHORT_MINUTES = 2
MOST_HISTORIES = 5

Say = Callable[[str], None]


class TortureError(RuntimeError):
    """The torture itself could not be carried out."""


@dataclass(kw_only=True)
class TortureReport:
    """What it came to; `ok` only if every row agrees and nothing else was found."""

    seed: int
    folder: str
    seconds: float = 0.0
    kills: dict[str, int] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)
    """Victims that were looked for and not there."""
    restarts_of_dev: int = 0
    changes: int = 0
    """Rows inserted, updated and deleted in the source, as they were captured."""
    transactions_refused: int = 0
    connections_broken: int = 0
    deliveries: int = 0
    loads: int = 0
    """Load generations: the first, those of truncated tables, and those that lost changes made necessary."""
    caught_up_by_itself: bool = False
    """Whether the platform needed no `autocorp sync` to take in the rest."""
    tables: list[TableVerdict] = field(default_factory=list)
    histories: dict[str, str] = field(default_factory=dict)
    """By `table key` of some rows that differ: all that happened to them, by `autocorp trace`."""
    problems: list[str] = field(default_factory=list)

    @property
    def commits(self) -> int:
        return sum(table.commits for table in self.tables)

    @property
    def differences(self) -> int:
        return sum(table.differences for table in self.tables)

    @property
    def ok(self) -> bool:
        return len(self.tables) == len(TABLES) and not self.differences and not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON of `autocorp torture --json`."""
        return {"ok": self.ok, **asdict(self), "commits": self.commits, "differences": self.differences}


@dataclass(frozen=True, kw_only=True)
class Torture:
    """One torture of a platform that is started for it, in a folder of its own."""

    folder: Path
    """Emptied if an earlier torture made it, refused if anything else did."""
    minutes: float
    seed: int
    say: Say
    keep: bool = False
    """Keep the folder also when all is well."""

    def run(self) -> TortureReport:
        """Everything; the folder is removed at the end when nothing was found.

        Raises:
            NotFreshError: the folder is somebody else's.
            HomeInUseError: another torture runs in it.
            TortureError: the platform did not come up in the first place.
        """
        advice = "give it another one with --folder"
        with own_folder(self.folder, marker=MARKER, made_by="autocorp torture", advice=advice):
            report = self._run()
        if report.ok and not self.keep:
            shutil.rmtree(self.folder)
        return report

    def _run(self) -> TortureReport:
        from autocorp_assets.local.spark_runtime import prepare

        settings = Settings().model_copy(
            update={"home": self.folder / "home", "source_dsn": None, "landing": None, "slot": "autocorp_lake"}
        )
        prepare(settings)
        dev = Dev(settings=settings, port=free_port(), log=self.folder / "dev.log", say=self.say)
        pace = HARD if self.minutes < SHORT_MINUTES else STEADY
        chance = random.Random(self.seed)
        traffic = Traffic(settings=settings, seed=self.seed)
        exports = Exports(settings=settings, chance=random.Random(self.seed), pause_seconds=2 * pace.pause_seconds)
        assassin = Assassin(
            settings=settings,
            guard=lambda: dev.guard,
            pace=pace,
            chance=chance,
            log=self.folder / KILLS_FILE,
            say=self.say,
        )
        started = time.monotonic()
        report = TortureReport(seed=self.seed, folder=str(self.folder))
        try:
            self._torment(dev, traffic, exports, assassin)
            report.caught_up_by_itself = self._let_rest(dev, seconds=pace.rest_seconds)
        finally:
            dev.stop()
        self._judge(dev, exports, report)
        report.kills = {str(victim): assassin.kills[victim] for victim in Victim}
        report.absent = {str(victim): count for victim, count in assassin.absent.items()}
        report.restarts_of_dev = dev.restarts
        report.transactions_refused, report.connections_broken = traffic.refused, traffic.broken
        report.deliveries = exports.landed
        report.seconds = round(time.monotonic() - started, 1)
        return report

    def _torment(self, dev: Dev, traffic: Traffic, exports: Exports, assassin: Assassin) -> None:
        dev.start()
        self._wait_until_ready(dev)
        stop = threading.Event()
        self.say(f"load and kills for {60 * self.minutes:.0f} s")
        deadline = time.monotonic() + 60 * self.minutes
        with ThreadPoolExecutor(thread_name_prefix="torture") as pool:
            work = [pool.submit(part, stop) for part in (traffic.business, traffic.adversary, exports.run)]
            work.append(pool.submit(assassin.run, stop))
            try:
                while self._goes_on(deadline, assassin) and not any(map(Future.done, work)):
                    dev.keep_running()
                    time.sleep(POLL_SECONDS)
            finally:
                stop.set()
        for part in work:
            part.result()

    def _goes_on(self, deadline: float, assassin: Assassin) -> bool:
        """Until time is up; on a slow machine a little longer, since little was killed."""
        late = time.monotonic() - deadline
        return late < 0 or (assassin.kills.total() < LEAST_KILLS and late < EXTRA_SECONDS)

    def _wait_until_ready(self, dev: Dev) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while b"ready:" not in dev.log.read_bytes():
            if dev.guard is None or time.monotonic() > deadline:
                message = f"`autocorp dev` did not come up. Its log: {dev.log}\n{dev.log.read_text()[-2000:]}"
                raise TortureError(message)
            time.sleep(POLL_SECONDS)

    def _let_rest(self, dev: Dev, *, seconds: float) -> bool:
        """Traffic and kills have ended: whether the platform takes in the rest by itself."""
        from autocorp_assets.operations.torture.rest import is_caught_up

        self.say("load and kills have ended; the platform takes in the rest")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            dev.keep_running()
            if is_caught_up(dev.settings):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _judge(self, dev: Dev, exports: Exports, report: TortureReport) -> None:
        from autocorp_assets.local.replicator.checkpoint import Checkpoint
        from autocorp_assets.local.source.connection import open_source

        settings = dev.settings
        self.say("autocorp sync")
        passed = dev.sync()
        if not passed["ok"]:
            errors = [line for line in passed["said"].splitlines() if line.startswith("error: ")]
            report.problems.append(f"the last `autocorp sync` failed: {'; '.join(errors) or passed['said'][-2000:]}")
        self.say("comparing every row of source and lake")
        with open_source(settings, seed=False) as source:
            report.tables = judge_tables(source.dsn, settings.lake_folder)
        report.histories = self._histories(dev, report.tables)
        report.problems += judge_deliveries(settings, exports)
        report.problems += judge_accounts(settings.lake_folder)
        if checkpoint := Checkpoint.read(settings.replication_folder):
            report.changes, report.loads = checkpoint.changes, checkpoint.generation

    def _histories(self, dev: Dev, tables: Sequence[TableVerdict]) -> dict[str, str]:
        keys = [(verdict.table, found.partition(": ")[0]) for verdict in tables for found in verdict.sample]
        return {f"{table} {key}": dev.history(table, key) for table, key in keys[:MOST_HISTORIES]}


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def default_folder() -> Path:
    """Beside the project's data folder, never it."""
    return PROJECT_FOLDER / ".autocorp-torture"
