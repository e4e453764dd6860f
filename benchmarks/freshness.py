"""Seconds from a commit in the source to its row in a query, while `autocorp dev` runs on the data folder."""

from __future__ import annotations

import argparse
import json
import statistics
import time

import psycopg

from autocorp_assets.local.source.connection import open_source
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.settings import Settings

GIVE_UP_SECONDS = 600.0
LOOK_SECONDS = 0.5


def commit_marker(dsn: str, marker: str) -> None:
    """One update of an order's status."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "UPDATE sales_order SET status = %s WHERE order_id = (SELECT min(order_id) FROM sales_order)", [marker]
        )


def seconds_until_seen(query: LakeQuery, marker: str) -> float:
    """Asks the lake until the marker is there.

    Raises:
        TimeoutError: it did not come.
    """
    started = time.monotonic()
    while time.monotonic() - started < GIVE_UP_SECONDS:
        found = query.run("SELECT count(*) FROM sales_order WHERE status = ?", parameters=(marker,))
        if next(iter(found.rows()))[0]:
            return time.monotonic() - started
        time.sleep(LOOK_SECONDS)
    message = f"{marker} is not in the lake after {GIVE_UP_SECONDS:.0f} s: does `autocorp dev` run on this data folder?"
    raise TimeoutError(message)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=10)
    arguments = parser.parse_args()
    settings = Settings()
    query = LakeQuery(settings.lake_folder)
    waited = []
    with open_source(settings) as source:
        for number in range(arguments.changes):
            marker = f"marker {time.time_ns()}-{number}"
            commit_marker(source.dsn, marker)
            waited.append(seconds_until_seen(query, marker))
    figures = {"median": statistics.median(waited), "least": min(waited), "most": max(waited)}
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))  # noqa: T201 the result


if __name__ == "__main__":
    main()
