"""CSV deliveries against what the lake says became of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocorp_assets.contracts import FEEDS, TABLE_BY_FEED
from autocorp_assets.contracts.model import SOURCE_SYSTEM, KeyForm, SourceSystem
from autocorp_assets.contracts.raw_format import AUDIT, BLANKS, feed_prefix
from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery

OUTCOMES = ("applied", "unchanged", "superseded", "duplicate", "quarantined")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a delivery into an empty feed must come to, by who wrote it."""

    file: str
    rows: int
    applied: int
    superseded: int
    duplicate: int
    quarantined: int


def audited(lake: Path, feed: str) -> dict[str, dict[str, Any]]:
    """The newest account of each of the feed's files, by file name."""
    lines = [
        json.loads(line)
        for path in (lake / AUDIT / TABLE_BY_FEED[feed].name).glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    ours = [line for line in lines if line["file"].startswith(f"{feed_prefix(feed)}/")]
    return {line["file"].rsplit("/", 1)[-1]: line for line in sorted(ours, key=lambda line: line["written_at"])}


def account_differences(feed: str, expected: Iterable[Expected], lake: Path) -> list[str]:
    """Where the lake's account of a file is not what is expected; empty when all agree."""
    accounts = audited(lake, feed)
    found = []
    for delivery in expected:
        account = accounts.get(delivery.file)
        if account is None:
            found.append(f"{delivery.file}: no run has accounted for it")
            continue
        wanted: Mapping[str, int] = {
            "read": delivery.rows,
            "applied": delivery.applied,
            "superseded": delivery.superseded,
            "duplicate": delivery.duplicate,
            "quarantined": delivery.quarantined,
        }
        found += [
            f"{delivery.file}: {name} {account[name]:,} instead of {count:,}"
            for name, count in wanted.items()
            if account[name] != count
        ]
        if account["read"] != sum(account[outcome] for outcome in OUTCOMES):
            found.append(f"{delivery.file}: rows read are not the sum of their outcomes")
    return found


def stored_rows(feed: str, lake: Path) -> int:
    """Rows of the feed in the lake."""
    table = TABLE_BY_FEED[feed].name
    query = f"SELECT count(*) FROM {LAKE_SCHEMA}.{table} WHERE {SOURCE_SYSTEM} = ?"  # noqa: S608 names of the contract
    return int(next(iter(LakeQuery(lake).run(query, parameters=[str(SourceSystem.CSV)]).rows()))[0])


def compares_by_value(feed: str) -> bool:
    """Whether a delivery's cells can be compared with the lake as they are: text, and one row a key."""
    contract, csv_feed = TABLE_BY_FEED[feed], FEEDS[feed]
    columns = [contract.column_by_name[name] for name in csv_feed.table_column.values()]
    return csv_feed.key_form is KeyForm.HASHED and all(column.type == "string" for column in columns)


def value_differences(feed: str, path: Path, lake: Path) -> int:
    """Rows of the feed's only delivery whose values the lake does not hold, and lake rows that it does not explain.

    Raises:
        ValueError: the feed does not compare by value.
    """
    if not compares_by_value(feed):
        message = f"feed {feed} does not compare by value"
        raise ValueError(message)
    import duckdb

    contract, csv_feed = TABLE_BY_FEED[feed], FEEDS[feed]
    names = ", ".join(f'"{name}"' for name in csv_feed.table_column.values())
    query = f"SELECT {names} FROM {LAKE_SCHEMA}.{contract.name} WHERE {SOURCE_SYSTEM} = ?"  # noqa: S608
    stored = LakeQuery(lake).run(query, parameters=[str(SourceSystem.CSV)]).table
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET VARIABLE blanks = ?", [BLANKS])
    connection.register("stored", stored)
    (key,) = csv_feed.key
    cells = ", ".join(f"nullif(trim(\"{name}\", getvariable('blanks')), '') AS \"{name}\"" for name in csv_feed.columns)
    # The last row of a key wins: one thread numbers the rows in the order of the file.
    connection.execute("SET threads = 1")
    connection.execute(
        "CREATE TABLE numbered AS SELECT *, row_number() OVER () AS position FROM read_csv(?, all_varchar = true)",
        [str(path)],
    )
    connection.execute("RESET threads")
    found = connection.execute(
        f"""
        WITH delivered AS (
            SELECT {cells} FROM numbered
            QUALIFY row_number() OVER (
                PARTITION BY lower(trim("{key}", getvariable('blanks'))) ORDER BY position DESC
            ) = 1
        )
        SELECT count(*)
        FROM ((FROM delivered EXCEPT ALL FROM stored) UNION ALL (FROM stored EXCEPT ALL FROM delivered))
        """  # noqa: S608
    ).fetchone()
    return int(found[0]) if found else 0
