"""Seconds to load the code location, against an empty Dagster project; each load is a process of its own."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autocorp_assets.settings import PROJECT_FOLDER

EMPTY_PROJECT = "import dagster as dg\n\ndefs = dg.Definitions()\n"
LOAD = "import {module}; {module}.defs.get_repository_def()"


def seconds_to_load(module: str, folder: Path) -> float:
    """One load, from the start of the interpreter to its end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", LOAD.format(module=module)], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=7)
    arguments = parser.parse_args()
    ours, empty = [], []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "empty_project.py").write_text(EMPTY_PROJECT)
        # The first of each writes what the others find compiled and cached; then by turns, so that a busy moment
        # of the machine meets both.
        for _ in range(1 + arguments.loads):
            ours.append(seconds_to_load("autocorp_assets.definitions", PROJECT_FOLDER))
            empty.append(seconds_to_load("empty_project", Path(folder)))
    figures = {"ours": statistics.median(ours[1:]), "empty_project": statistics.median(empty[1:])}
    figures["ratio"] = figures["ours"] / figures["empty_project"]
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))  # noqa: T201 the result


if __name__ == "__main__":
    main()
