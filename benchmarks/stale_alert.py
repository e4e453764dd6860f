"""Minutes from the moment in which the replicator hangs to the first table in yellow, in red, and to the alert.

Then until the alert that it is over, once the replicator goes on. A hanging process is the case that nothing mends by
itself: one that has ended is started again. Takes some 25 minutes, most of which are the service level itself.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import psutil
import requests

from autocorp_assets.contracts import TABLES
from benchmarks.running_platform import RunningPlatform, running_platform, wait_for

FRESHNESS = "{ assetNodes { assetKey { path } freshnessStatusInfo { freshnessStatus } } }"
YELLOW, RED = "WARNING", "DEGRADED"
STALE = "AutoCorp: {count} tables are out of date"
OVER = "Over: AutoCorp"
LONGEST_SECONDS = 30 * 60.0


def colours(platform: RunningPlatform) -> dict[str, str]:
    """By curated table, what the UI shows."""
    answer = requests.post(f"{platform.url}/graphql", json={"query": FRESHNESS}, timeout=60).json()
    return {
        node["assetKey"]["path"][1]: node["freshnessStatusInfo"]["freshnessStatus"]
        for node in answer["data"]["assetNodes"]
        if node["assetKey"]["path"][0] == "curated" and node["freshnessStatusInfo"]
    }


def minutes_to_the_alert(platform: RunningPlatform) -> dict[str, float]:
    """After the stop, in the order in which they come."""
    log = platform.settings.logs_folder / "dagster.log"
    seen: dict[str, float] = {}
    stopped = time.monotonic()

    def look() -> bool:
        time.sleep(1)
        now = colours(platform).values()
        told = STALE.format(count=len(TABLES)) in log.read_text(errors="replace")
        found = {
            "first_yellow": any(one in {YELLOW, RED} for one in now),
            "all_yellow": all(one in {YELLOW, RED} for one in now),
            "first_red": RED in now,
            "all_red": all(one == RED for one in now),
            "alert": told,
        }
        for name, is_there in found.items():
            if is_there:
                seen.setdefault(name, time.monotonic() - stopped)
        return all(found.values())

    wait_for(look, seconds=LONGEST_SECONDS, what="no alert, or no red table")
    return {f"{name}_minutes": round(seconds / 60, 2) for name, seconds in seen.items()}


def seconds_to_the_end(platform: RunningPlatform) -> dict[str, float]:
    """After it goes on: until people are told, and until all tables are green."""
    log, went_on = platform.settings.logs_folder / "dagster.log", time.monotonic()
    wait_for(lambda: OVER in log.read_text(errors="replace"), seconds=LONGEST_SECONDS, what="it is not told to be over")
    told = time.monotonic() - went_on
    wait_for(
        lambda: not {YELLOW, RED} & set(colours(platform).values()), seconds=LONGEST_SECONDS, what="it stays yellow"
    )
    return {"over_seconds": round(told), "green_seconds": round(time.monotonic() - went_on)}


def replicator(platform: RunningPlatform) -> psutil.Process:
    """Its process, not the guard above it."""
    return next(process for part, process in platform.processes() if part == "replicator")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder) / "home") as platform:
        platform.settle()
        hanging = replicator(platform)
        hanging.suspend()
        try:
            figures = minutes_to_the_alert(platform)
        finally:
            hanging.resume()
        figures |= seconds_to_the_end(platform)
    print(json.dumps(figures))  # noqa: T201 the result


if __name__ == "__main__":
    main()
