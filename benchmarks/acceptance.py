"""The figures of docs/acceptance.md: seconds from source to raw and to a query, of 1M rows, and of aggregates.

Works on a data folder that `autocorp demo` has filled (AUTOCORP_HOME), and runs the platform on it meanwhile unless
`autocorp dev` already does.
"""

from __future__ import annotations

import argparse
import json
import logging
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psycopg

from autocorp_assets.local.replicator.status import position
from autocorp_assets.local.source.connection import open_source
from autocorp_assets.operations.home_lock import HomeInUseError
from autocorp_assets.operations.platform import run_platform
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.settings import PROJECT_FOLDER, Settings
from benchmarks.freshness import GIVE_UP_SECONDS, commit_marker, seconds_until_seen

AUTOCORP = (sys.executable, "-c", "from autocorp_assets.cli.main import app; app()")
SIMPLE = "SELECT state, count(*) AS people FROM customers GROUP BY state"
"""One scan of the largest table."""
QUESTIONS = sorted((PROJECT_FOLDER / "queries" / "questions").glob("*.sql"))
"""Joins, windows, grouping sets, one row a person: the slowest counts."""
POSITION = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
LOOK_SECONDS = 0.05
MILLION = 1_000_000


def seconds_to_query(sql: str) -> float:
    """`autocorp query` as it is typed: from the start of the program to its end."""
    started = time.monotonic()
    command = [*AUTOCORP, "query", sql, "--format", "json"]
    subprocess.run(command, cwd=PROJECT_FOLDER, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def seconds_until_in_raw(state: Path, lsn: int) -> float:
    """Until the replicator has brought into raw what the source had committed at that position.

    Raises:
        TimeoutError: it did not.
    """
    started = time.monotonic()
    while (position(state) or 0) < lsn:
        if time.monotonic() - started > GIVE_UP_SECONDS:
            message = f"raw has not come so far in {GIVE_UP_SECONDS:.0f} s: does the replicator run?"
            raise TimeoutError(message)
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - started


def lags(settings: Settings, changes: int) -> tuple[list[float], list[float]]:
    """Seconds from a commit in the source to raw, and to its row in a query, of each change."""
    query = LakeQuery(settings.lake_folder)
    to_raw, to_query = [], []
    with open_source(settings) as source:
        for number in range(changes):
            marker = f"marker {time.time_ns()}-{number}"
            commit_marker(source.dsn, marker)
            with psycopg.connect(source.dsn) as connection:
                (lsn,) = connection.execute(POSITION).fetchone() or (0,)
            to_raw.append(seconds_until_in_raw(settings.replication_folder, lsn))
            to_query.append(to_raw[-1] + seconds_until_seen(query, marker))
    return to_raw, to_query


def seconds_of_rows(rows: int) -> float:
    """An export of so many customers into the empty Hudi table, in a folder and a process of its own."""
    command = [sys.executable, "-m", "benchmarks.csv_to_hudi", "--customers", str(rows)]
    done = subprocess.run(command, cwd=PROJECT_FOLDER, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])["into_empty_seconds"]


@contextmanager
def platform(settings: Settings) -> Generator[None]:
    """Something replicates and curates the data folder meanwhile."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with ExitStack() as stack:
        with suppress(HomeInUseError):  # `autocorp dev` does so already
            stack.enter_context(run_platform(settings, port=port, say=logging.getLogger(__name__).info))
        yield


def spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    return {f"{name}_median": statistics.median(seconds), f"{name}_most": max(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=10)
    parser.add_argument("--rows", type=int, default=MILLION, help="of the export that is curated")
    arguments = parser.parse_args()
    settings = Settings()
    (people,) = next(iter(LakeQuery(settings.lake_folder).run("SELECT count(*) FROM customers").rows()))
    simple = statistics.median(seconds_to_query(SIMPLE) for _ in range(3))
    complex_ones = {question.stem: seconds_to_query(f"@{question}") for question in QUESTIONS}
    slowest = max(complex_ones, key=lambda name: complex_ones[name])
    rows_seconds = seconds_of_rows(arguments.rows)
    with platform(settings):
        to_raw, to_query = lags(settings, arguments.changes)
    figures = {
        **spread("cdc_seconds", to_raw),
        **spread("end_to_end_seconds", to_query),
        "rows_seconds": rows_seconds,
        "simple_aggregate_seconds": simple,
        "complex_aggregate_seconds": complex_ones[slowest],
    }
    told = {name: round(value, 2) for name, value in figures.items()}
    print(  # noqa: T201 the result
        json.dumps({**told, "rows": arguments.rows, "customers": people, "complex_aggregate": slowest})
    )


if __name__ == "__main__":
    main()
