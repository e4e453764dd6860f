"""Rows that refer to a row which is not there, and what became of the missing one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import (
    CHANGE_SEQ,
    CHANGED_AT,
    RAW_FILE,
    SOURCE_SYSTEM,
    KeyForm,
    LakeFormat,
    References,
    SourceSystem,
    TableContract,
)
from autocorp_assets.lake.quarantine import Quarantine, QuarantinedRow
from autocorp_assets.lake.snapshots import read_head
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.query.engine import LAKE_SCHEMA
from spark_jobs.checkpoint import Checkpoint

if TYPE_CHECKING:
    import duckdb

COMMIT_TIME = "_hoodie_commit_time"
"""When Hudi committed the row: text, UTC, such as 20241121103000123."""


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """A row whose parent is missing."""

    record_key: str
    system: SourceSystem
    value: str
    """What names the parent."""
    raw_file: str


@dataclass(frozen=True, kw_only=True)
class Orphans:
    """All rows of a table that break one reference."""

    rule: References
    rows_checked: int
    rows: int
    sample: tuple[Orphan, ...]
    """The newest of them."""


def find_orphans(
    connection: duckdb.DuckDBPyConnection,
    contract: TableContract,
    rule: References,
    *,
    quiet_since: datetime,
    limit: int,
) -> Orphans:
    """Rows without a parent, over whole tables; rows that changed or were committed after `quiet_since` are not judged.

    Args:
        connection: to the lake, see `query.engine.LakeQuery.connect`.
        contract: the table.
        rule: one of its references.
        quiet_since: an aware time.
        limit: rows of the sample.
    """
    both = contract.has_two_systems and TABLES[rule.to_table].has_two_systems
    committed = contract.format is LakeFormat.HUDI
    system = SOURCE_SYSTEM if contract.has_two_systems else f"'{SourceSystem.DATABASE}'"
    judged = f"""
        FROM {LAKE_SCHEMA}.{contract.name} AS child
        SELECT {contract.record_key} AS record_key, {system} AS system, {rule.column} AS value, {RAW_FILE}, {CHANGE_SEQ}
        WHERE {rule.column} IS NOT NULL AND coalesce({CHANGED_AT} <= $quiet_since, true)
          {f"AND {COMMIT_TIME} <= $committed_since" if committed else ""}
          {f"AND list_contains($systems, {SOURCE_SYSTEM})" if both else ""}
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS {judged}",
        {
            "quiet_since": quiet_since.replace(tzinfo=None),
            **({"committed_since": f"{quiet_since:%Y%m%d%H%M%S}999"} if committed else {}),
            **(
                {"systems": [str(known) for known in _systems_of(TABLES[rule.to_table], rule.to_column)]}
                if both
                else {}
            ),
        },
    )
    same_system = f"AND parent.{SOURCE_SYSTEM} = judged.system" if both else ""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE orphans AS FROM judged
        ANTI JOIN {LAKE_SCHEMA}.{rule.to_table} AS parent ON parent.{rule.to_column} = judged.value {same_system}
        """
    )
    newest = connection.execute(
        f"FROM orphans SELECT record_key, system, value, {RAW_FILE} ORDER BY {CHANGE_SEQ} DESC, record_key LIMIT ?",
        [limit],
    ).fetchall()
    return Orphans(
        rule=rule,
        rows_checked=_count(connection, "judged"),
        rows=_count(connection, "orphans"),
        sample=tuple(
            Orphan(record_key=str(key), system=SourceSystem(of), value=str(value), raw_file=file)
            for key, of, value, file in newest
        ),
    )


def _systems_of(parent: TableContract, column: str) -> Iterable[SourceSystem]:
    """Systems that deliver the parent's column: what an export refers to by another is nobody's to resolve."""
    yield SourceSystem.DATABASE
    if parent.csv_feed and column in parent.csv_feed.table_column.values():
        yield SourceSystem.CSV


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 our own two names
    return int(found[0]) if found else 0


def reasons(lake: LakeStorage, contract: TableContract, rule: References, orphans: Sequence[Orphan]) -> list[str]:
    """For each orphan what became of its parent, as far as quarantine, deliveries and what is pending tell."""
    parent = TABLES[rule.to_table]
    if not orphans:
        return []
    keys = {orphan: _record_key(parent, rule, orphan) for orphan in orphans}
    found = Quarantine(lake, parent).rows(keys=sorted({key for key in keys.values() if key}))
    quarantined = {row.record_key: row for row in found}
    why = _Parents(lake=lake, contract=contract, parent=parent)
    return [_in_quarantine(row) if (row := quarantined.get(keys[orphan])) else why.absent(orphan) for orphan in orphans]


def _record_key(parent: TableContract, rule: References, orphan: Orphan) -> str | None:
    """The record key of the missing row; None where the reference is not by key."""
    feed = parent.csv_feed
    if orphan.system is SourceSystem.DATABASE or feed is None:
        is_key = rule.to_column == parent.primary_key
    else:
        is_key = feed.key_form is KeyForm.PLAIN and [feed.table_column[name] for name in feed.key] == [rule.to_column]
    if not is_key:
        return None
    return f"{orphan.system}:{orphan.value}" if parent.has_two_systems else orphan.value


def _in_quarantine(row: QuarantinedRow) -> str:
    return f"in quarantine: {row.file}, row {row.position}: {'; '.join(row.reasons)}"


class _Parents:
    """What is known of a parent table that bears on rows which it lacks."""

    def __init__(self, *, lake: LakeStorage, contract: TableContract, parent: TableContract) -> None:
        self._contract = contract
        self._parent = parent
        head = read_head(lake.root, parent)
        self._exists = head is not None
        self._taken_in = ((head.checkpoint if head else None) or Checkpoint()).deliveries
        self._in_raw = {d.name: d.etag for d in lake.deliveries(parent.csv_feed.name)} if parent.csv_feed else {}
        plans = lake.pending_plans([parent.name, contract.name])
        self._pending = {name: len(plan.database_files) for name, plan in plans.items() if plan.database_files}

    def absent(self, orphan: Orphan) -> str:
        if orphan.system is SourceSystem.CSV and self._parent.csv_feed:
            return self._exported(orphan)
        if self._pending:
            waiting = ", ".join(f"{name} ({files} files)" for name, files in self._pending.items())
            return f"changes of the database are pending: {waiting}"
        if not self._exists:
            return f"{self._parent.name} does not exist yet"
        return f"unknown: `autocorp reconcile {self._parent.name}` compares it with the source"

    def _exported(self, orphan: Orphan) -> str:
        feeds = (self._contract.csv_feed, self._parent.csv_feed)
        if feeds[0] is None or feeds[1] is None:
            return "unknown"
        day = feeds[0].file_pattern().fullmatch(orphan.raw_file.rsplit("/", 1)[-1])
        name = f"{feeds[1].name}-{day[1]}.csv" if day else f"{feeds[1].name}-YYYYMMDD.csv"
        taken_in, in_raw = self._taken_in.get(name), self._in_raw.get(name)
        if taken_in and taken_in.refused:
            return f"its file is refused: {name}: {taken_in.refused}"
        if in_raw and (taken_in is None or taken_in.etag != in_raw):
            return f"its delivery is pending: {name}"
        if taken_in is None:
            return f"its delivery has not arrived: {name}"
        return f"{name} was taken in and does not hold it: ask for the missing rows"
