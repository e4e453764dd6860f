"""What the platform costs while nothing happens, against `dagster dev` with an empty project at the same time.

Starts a real `autocorp dev` on an empty data folder, and again on the same, waits until it has nothing left to do, and
then counts CPU seconds by process, ticks by sensor and what Dagster's storage grows by.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.completeness import COMPLETE_UNTIL
from autocorp_assets.contracts import TABLES
from autocorp_assets.local.supervision import Guarded
from autocorp_assets.operations.instance import open_instance
from autocorp_assets.settings import Settings
from benchmarks.code_location import EMPTY_PROJECT
from benchmarks.running_platform import family, free_port, running_platform, wait_for

EMPTY_INSTANCE = "telemetry: {enabled: false}\nnux: {enabled: false}\n"


def cpu_seconds(process: psutil.Process) -> Counter[str]:
    """Of all below it so far, by what it is; what has ended counts with whoever has waited for it."""
    used: Counter[str] = Counter()
    for part, one in family(process):
        try:
            times = one.cpu_times()
        except psutil.Error:
            continue
        used[part] += times.user + times.system + times.children_user + times.children_system
    return used


def memory_mib(process: psutil.Process) -> dict[str, int]:
    """Proportional: what processes share counts once."""
    held: Counter[str] = Counter()
    for part, one in family(process):
        try:
            held[part] += one.memory_full_info().pss
        except psutil.Error:
            continue
    return {part: round(size / 1024**2) for part, size in held.most_common()}


def stored_bytes(folder: Path) -> int:
    """Of the pages in use of all SQLite databases: their files grow in steps, and the newest is in their logs."""
    total = 0
    for file in folder.glob("**/*.db"):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as database:
            pages, free, size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        total += (pages - free) * size
    return total


def ticks(settings: Settings, since: float) -> dict[str, dict[str, float]]:
    """Number and seconds of the ticks of each sensor and schedule."""
    told: dict[str, dict[str, float]] = {}
    with open_instance(settings) as instance:
        for state in instance.all_instigator_state():
            found = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=since)
            took = [tick.end_timestamp - tick.timestamp for tick in found if tick.end_timestamp]
            if took:
                told[state.instigator_name] = {
                    "ticks": len(took),
                    "median_seconds": round(statistics.median(took), 3),
                    "most_seconds": round(max(took), 3),
                }
    return told


def heartbeats(settings: Settings, since: float) -> int:
    """How many were reported: each table has one every eight minutes, so that few minutes hold none or all."""
    with open_instance(settings) as instance:
        records = [
            record
            for name in TABLES
            for record in instance.fetch_materializations(curated_key(name), limit=100).records
            if record.timestamp >= since
        ]
    return sum(COMPLETE_UNTIL in one.asset_materialization.metadata for one in records if one.asset_materialization)


@contextmanager
def empty_dagster(folder: Path) -> Generator[psutil.Process]:
    """`dagster dev` with an empty project, once its webserver answers."""
    (folder / "empty_project.py").write_text(EMPTY_PROJECT)
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(EMPTY_INSTANCE)
    port = free_port()
    with Guarded.start(
        [sys.executable, "-m", "dagster", "dev", "-m", "empty_project", "--host", "127.0.0.1", "--port", str(port)],
        name="the empty project",
        log=folder / "dagster.log",
        env={**os.environ, "DAGSTER_HOME": str(home)},
        cwd=folder,
        grace_seconds=20,
    ) as guarded:
        wait_for(lambda: _answers(port), seconds=120, what="the empty project does not come up")
        yield psutil.Process(guarded.pid)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/server_info", timeout=5).ok
    except requests.RequestException:
        return False


def differences(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Largest first."""
    used = {part: round(value - before.get(part, 0.0), 2) for part, value in after.items()}
    return dict(sorted(used.items(), key=lambda one: -one[1]))


def watch(minutes: float, home: Path, empty: Path) -> dict[str, Any]:
    """Figures of a second start and of the idle minutes after it."""
    with running_platform(home) as platform, empty_dagster(empty) as peer:
        platform.settle()
        began, stored = time.time(), stored_bytes(platform.settings.dagster_folder)
        ours, theirs = cpu_seconds(platform.process), cpu_seconds(peer)
        time.sleep(minutes * 60)
        ours = differences(cpu_seconds(platform.process), ours)
        theirs = differences(cpu_seconds(peer), theirs)
        hours = (time.time() - began) / 3600
        grown = stored_bytes(platform.settings.dagster_folder) - stored
        return {
            "second_start_seconds": round(platform.seconds_to_ready, 1),
            "minutes": minutes,
            "cpu_seconds": round(sum(ours.values()), 1),
            "percent_of_a_core": round(100 * sum(ours.values()) / (hours * 3600), 1),
            "empty_dagster_cpu_seconds": round(sum(theirs.values()), 1),
            "ratio": round(sum(ours.values()) / sum(theirs.values()), 1),
            "cpu_seconds_by_process": ours,
            "memory_mib": memory_mib(platform.process),
            "ticks": ticks(platform.settings, began),
            "stored_kib_per_hour": round(grown / hours / 1024),
            "heartbeats": heartbeats(platform.settings, began),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, empty = Path(folder) / "home", Path(folder) / "empty"
        empty.mkdir()
        with running_platform(home) as platform:
            first = round(platform.seconds_to_ready, 1)
            platform.settle()
        figures = watch(arguments.minutes, home, empty)
    print(json.dumps({"first_start_seconds": first, **figures}))  # noqa: T201 the result


if __name__ == "__main__":
    main()
