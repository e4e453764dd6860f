"""Rows whose total is not the sum of their lines, over whole tables of one version of the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import (
    CHANGE_SEQ,
    RAW_FILE,
    SOURCE_SYSTEM,
    References,
    SourceSystem,
    SumsLines,
    TableContract,
)
from autocorp_assets.contracts.raw_format import feed_prefix
from autocorp_assets.lake.quarantine import Quarantine
from autocorp_assets.lake.snapshots import read_head
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class WrongSum:
    """A row whose lines come to another sum."""

    record_key: str
    total: str
    """As the row has it."""
    lines: int
    sum_of_lines: str
    raw_file: str


@dataclass(frozen=True, kw_only=True)
class LineSums:
    """What became of all rows under one rule; each row is in exactly one of the counts."""

    right: int
    wrong: int
    settling: int
    """Wrong now and not so before: the tables commit apart."""
    explained: int
    """Wrong, and one of their lines is kept out in quarantine."""
    undelivered: int
    """Exported without a file of lines that has been taken in."""
    unknown: int
    """The row's own amount, or that of one of its lines, is not there."""
    sample: tuple[WrongSum, ...]
    """The newest of the wrong ones."""


def line_reference(contract: TableContract, table: str) -> str:
    """The column by which a table's rows name the row of this table that they are lines of."""
    rules = (rule for rule in TABLES[table].rules if isinstance(rule, References))
    return next(rule.column for rule in rules if rule.to_table == contract.name)


def sum_lines(
    lake: LakeStorage, contract: TableContract, rule: SumsLines, *, quiet_since: datetime, limit: int
) -> LineSums:
    """Judge every row of the table.

    Args:
        lake: the lake.
        contract: the table.
        rule: of the table.
        quiet_since: an aware time, so long ago that each table had to hold by now what the others do. A wrong sum
            counts only if it was wrong in the same way in the lake of that time.
        limit: rows of the sample.

    Raises:
        TableNotReadable: see `lake.snapshots.read_snapshot`.
    """
    with_lines = _exports_with_lines(lake, contract, rule)
    with _connect(lake, contract, rule, None) as now:
        counts = _compare(now, contract, rule, with_lines=with_lines)
        if not counts["wrong"]:
            return LineSums(**counts, settling=0, explained=0, sample=())
        with _connect(lake, contract, rule, quiet_since) as before:
            _compare(before, contract, rule, with_lines=with_lines)
            wrong_before = before.sql("FROM wrong SELECT record_key, total, amount").to_arrow_table()
        now.register("wrong_before", wrong_before)
        now.register("kept_out", _kept_out(lake, contract, rule))
        return _explained(now, counts, limit)


def _connect(
    lake: LakeStorage, contract: TableContract, rule: SumsLines, as_of: datetime | None
) -> duckdb.DuckDBPyConnection:
    return LakeQuery(lake.root).connect(as_of, tables=(contract.name, *rule.tables))


def _explained(now: duckdb.DuckDBPyConnection, counts: Mapping[str, int], limit: int) -> LineSums:
    """The counts without the wrong sums of which nothing follows."""
    found = now.execute(
        """
        FROM wrong LEFT JOIN wrong_before USING (record_key, total, amount)
        SELECT count(*) FILTER (wrong_before.record_key IS NULL),
               count(*) FILTER (wrong_before.record_key IS NOT NULL AND (system, number) IN (FROM kept_out))
        """
    ).fetchone()
    settling, explained = found or (0, 0)
    newest = now.execute(
        f"""
        FROM wrong SEMI JOIN wrong_before USING (record_key, total, amount)
        SELECT record_key, total::VARCHAR, lines, amount::VARCHAR, {RAW_FILE}
        WHERE (system, number) NOT IN (FROM kept_out) ORDER BY {CHANGE_SEQ} DESC, record_key LIMIT ?
        """,
        [limit],
    ).fetchall()
    return LineSums(
        **{**counts, "wrong": counts["wrong"] - settling - explained},
        settling=settling,
        explained=explained,
        sample=tuple(
            WrongSum(record_key=key, total=total, lines=lines, sum_of_lines=amount, raw_file=file)
            for key, total, lines, amount, file in newest
        ),
    )


def _compare(
    connection: duckdb.DuckDBPyConnection, contract: TableContract, rule: SumsLines, *, with_lines: Sequence[str]
) -> dict[str, int]:
    """Makes the table `wrong`, and counts the others."""
    lines = " UNION ALL ".join(
        f"""
        SELECT {_system(TABLES[table])} AS system, "{line_reference(contract, table)}" AS parent,
               "{rule.amount}" AS amount
        FROM {LAKE_SCHEMA}.{table}
        """  # noqa: S608 names are the contracts'
        for table in rule.tables
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE compared AS
        WITH sums AS (
            SELECT system AS of_system, parent, count(*) AS line_count, count(amount) AS known, sum(amount) AS summed
            FROM ({lines}) GROUP BY system, parent
        ),
        judged AS (
            SELECT "{contract.record_key}"::VARCHAR AS record_key, {_system(contract)} AS system,
                   "{contract.primary_key}" AS number, "{rule.total}" AS total, {RAW_FILE}, {CHANGE_SEQ}
            FROM {LAKE_SCHEMA}.{contract.name}
        )
        SELECT record_key, system, number::VARCHAR AS number, total, coalesce(line_count, 0) AS lines,
               coalesce(summed, 0) AS amount, {RAW_FILE}, {CHANGE_SEQ},
               CASE WHEN system <> '{SourceSystem.DATABASE}' AND NOT list_contains($with_lines, {RAW_FILE})
                    THEN 'undelivered'
                    WHEN total IS NULL OR known < line_count THEN 'unknown'
                    WHEN total = coalesce(summed, 0) THEN 'right' ELSE 'wrong' END AS verdict
        FROM judged LEFT JOIN sums ON of_system = system AND parent = number
        """,  # noqa: S608
        {"with_lines": list(with_lines)},
    )
    counted = connection.execute("FROM compared SELECT verdict, count(*) GROUP BY verdict").fetchall()
    connection.execute("CREATE OR REPLACE TEMP TABLE wrong AS FROM compared WHERE verdict = 'wrong'")
    connection.execute("DROP TABLE compared")
    return {**dict.fromkeys(("right", "wrong", "undelivered", "unknown"), 0), **dict(counted)}


def _system(contract: TableContract) -> str:
    return f'{contract.name}."{SOURCE_SYSTEM}"' if contract.has_two_systems else f"'{SourceSystem.DATABASE}'"


def _exports_with_lines(lake: LakeStorage, contract: TableContract, rule: SumsLines) -> list[str]:
    """The table's exports whose files of lines have all been taken in."""
    feed = contract.csv_feed
    if feed is None:
        return []
    days = [_days_taken_in(lake, TABLES[table]) for table in rule.tables]
    return [f"{feed_prefix(feed.name)}/{feed.name}-{day}.csv" for day in sorted(set.intersection(*days))]


def _days_taken_in(lake: LakeStorage, contract: TableContract) -> set[str]:
    head = read_head(lake.root, contract)
    deliveries = head.checkpoint.deliveries if head and head.checkpoint else {}
    return {delivery.day for delivery in deliveries.values() if not delivery.refused}


def _kept_out(lake: LakeStorage, contract: TableContract, rule: SumsLines) -> pa.Table:
    """System and number of the rows of which a line is in quarantine."""
    import pyarrow as pa

    found: list[dict[str, str]] = []
    for table in rule.tables:
        lines, column = TABLES[table], line_reference(contract, table)
        names = [(SourceSystem.DATABASE, column)]
        if feed := lines.csv_feed:
            names += [(SourceSystem.CSV, name) for name, of in feed.table_column.items() if of == column]
        for system, name in names:
            values = Quarantine(lake, lines).values(system, name)
            found += [{"system": str(system), "number": value} for value in values]
    return pa.Table.from_pylist(found, schema=pa.schema({"system": pa.string(), "number": pa.string()}))
