"""The rows that are kept out of a table now: `processed/quarantine/<table>/batch=<batch>/*.parquet`.

Nothing there is ever rewritten. Each time a file is judged, the rows that are then kept out are written
with the revision that the batch commits as; a row without a position only says that the file was judged.
So what counts is, for each file, the newest revision that mentions it and that the table has reached.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts.model import SourceSystem, TableContract
from autocorp_assets.contracts.raw_format import QUARANTINE, RAW_COLUMNS, RAW_CSV, RAW_DATABASE, feed_prefix
from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.snapshots import read_head
from autocorp_assets.lake.storage import LakeStorage

if TYPE_CHECKING:
    import duckdb

MASK = "•••"
"""Stands for a value that is there and not shown."""
_JUDGED = """
    FROM quarantine SELECT *, coalesce(revision, 0) AS judged_as WHERE judged_as <= getvariable('revision')
"""
_NOW = """
    WITH newest AS (FROM judged SELECT file, max(judged_as) AS judged_as GROUP BY file)
    FROM judged SEMI JOIN newest USING (file, judged_as) SELECT * WHERE position IS NOT NULL
"""


@dataclass(frozen=True, kw_only=True)
class QuarantinedRow:
    """A row that is kept out of its table."""

    file: str
    """Relative to the lake's root."""
    position: int
    """Ordinal in the file: of CSV rows from 1, of Parquet rows from 0."""
    record_key: str | None
    reasons: tuple[str, ...]
    """`column: rule` of each rule that the row breaks."""
    row: str
    """The row as the source wrote it: a JSON object, or the text of a CSV row that could not be cut into cells."""
    run_id: str
    quarantined_at: datetime


@dataclass(frozen=True, kw_only=True)
class QuarantineGroup:
    """Rows of one file that are kept out for the same reason. A row with two reasons is in two groups."""

    table: str
    file: str
    reason: str
    rows: int
    first: datetime
    last: datetime


@dataclass(frozen=True, kw_only=True)
class QuarantineDay:
    """Rows that were first kept out for a reason on one day (UTC). A row with two reasons is in two of them."""

    day: date
    reason: str
    rows: int


@dataclass(frozen=True)
class Quarantine:
    """One table's quarantine as it is now."""

    lake: LakeStorage
    contract: TableContract

    def count(self) -> int:
        """Rows; costs the footers and four columns of the quarantine's files."""
        return int(self._ask("SELECT count(*) FROM now")[0][0])

    def groups(self) -> list[QuarantineGroup]:
        """Rows by file and reason, in that order."""
        found = self._ask(
            """
            SELECT file, reason, count(*), min(quarantined_at), max(quarantined_at)
            FROM (SELECT file, unnest(reasons) AS reason, quarantined_at FROM now)
            GROUP BY file, reason ORDER BY file, reason
            """
        )
        return [
            QuarantineGroup(table=self.contract.name, file=file, reason=reason, rows=rows, first=first, last=last)
            for file, reason, rows, first, last in found
        ]

    def trend(self, since: date) -> list[QuarantineDay]:
        """Rows by reason and the day on which they were first kept out, from a day on, whatever became of them since.

        Args:
            since: a day, UTC.
        """
        found = self._ask(
            """
            SELECT day, reason, count(*) FROM (
                SELECT file, position, reason, min(quarantined_at)::DATE AS day
                FROM (SELECT file, position, unnest(reasons) AS reason, quarantined_at FROM judged)
                WHERE position IS NOT NULL GROUP BY file, position, reason
            )
            WHERE day >= $since GROUP BY day, reason ORDER BY day, reason
            """,
            since=since,
        )
        return [QuarantineDay(day=day, reason=reason, rows=rows) for day, reason, rows in found]

    def files(self) -> dict[str, int]:
        """Number of rows by file."""
        return dict(self._ask("SELECT file, count(*) FROM now GROUP BY file ORDER BY file"))

    def positions(self) -> dict[str, list[int]]:
        """Where the rows lie, by file."""
        return dict(self._ask("SELECT file, list(position) FROM now GROUP BY file"))

    def values(self, system: SourceSystem, name: str) -> set[str]:
        """What the rows of one source system hold under a name of the source, trimmed; rows that hold nothing are left
        out, as are those that could not be cut into cells.
        """
        path = json.dumps(name)
        found = self._ask(
            """
            SELECT DISTINCT trim(json_extract_string(row, '$.' || $path)) AS value FROM now
            WHERE starts_with(file, $prefix) AND CASE WHEN json_valid(row) THEN value <> '' END
            """,
            path=path,
            prefix=f"{RAW_DATABASE if system is SourceSystem.DATABASE else RAW_CSV}/",
        )
        return {value for (value,) in found}

    def rows(
        self,
        *,
        reason: str | None = None,
        files: Sequence[str] | None = None,
        positions: Sequence[int] | None = None,
        keys: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[QuarantinedRow]:
        """The rows, by file and position.

        Args:
            reason: only rows of which one reason holds this text, whatever its case.
            files: only rows of these files.
            positions: only rows at these places in a file.
            keys: only rows with these record keys.
            limit: at most so many.
        """
        found = self._ask(
            """
            SELECT file, position, record_key, reasons, row, run_id, quarantined_at FROM now
            WHERE ($reason IS NULL OR len(list_filter(reasons, lambda said: contains(lower(said), lower($reason)))) > 0)
              AND ($files IS NULL OR list_contains($files, file))
              AND ($positions IS NULL OR list_contains($positions, position))
              AND ($keys IS NULL OR list_contains($keys, record_key))
            ORDER BY file, position LIMIT $most
            """,
            reason=reason,
            files=None if files is None else list(files),
            positions=None if positions is None else list(positions),
            keys=None if keys is None else list(keys),
            most=limit if limit is not None else 2**62,
        )
        return [
            QuarantinedRow(
                file=file,
                position=position,
                record_key=key,
                reasons=tuple(reasons),
                row=row,
                run_id=run_id,
                quarantined_at=at,
            )
            for file, position, key, reasons, row, run_id, at in found
        ]

    def _ask(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        head = read_head(self.lake.root, self.contract)
        with _connected(self.lake, self.contract) as connection:
            connection.execute("SET VARIABLE revision = $revision", {"revision": head.revision if head else -1})
            connection.execute(f"CREATE VIEW judged AS {_JUDGED}")
            connection.execute(f"CREATE VIEW now AS {_NOW}")
            return connection.execute(sql, parameters or None).fetchall()


def _connected(lake: LakeStorage, contract: TableContract) -> duckdb.DuckDBPyConnection:
    """A database in memory with the table's quarantine, of which it reads what a question needs."""
    import duckdb
    import pyarrow as pa
    import pyarrow.dataset as ds

    schema = pa.schema(
        {
            "file": pa.string(),
            "position": pa.int64(),
            "record_key": pa.string(),
            "reasons": pa.list_(pa.string()),
            "row": pa.string(),
            "run_id": pa.string(),
            "quarantined_at": pa.timestamp("us", "UTC"),
            "revision": pa.int64(),
        }
    )
    file_system, root = open_file_system(lake.root)
    listed = lake.raw_files(f"{QUARANTINE}/{contract.name}")
    paths = [f"{root}/{file.path}" for file in listed if file.name.endswith(".parquet")]
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    # A file that was written before `revision` existed has none.
    connection.register("quarantine", ds.dataset(paths, schema=schema, format="parquet", filesystem=file_system))
    return connection


def shown_row(row: QuarantinedRow, contract: TableContract, *, personal: bool) -> dict[str, Any]:
    """The row's values by the names of its source.

    Args:
        row: a row of the table.
        contract: the table.
        personal: show personal values too. Otherwise they are masked, and so is all of which the contract
            does not say that it is not personal.
    """
    value = _cells(row.row)
    if personal:
        return value
    feed = contract.csv_feed
    is_csv = feed is not None and row.file.startswith(f"{feed_prefix(feed.name)}/")
    table_column = feed.table_column if feed and is_csv else {column.name: column.name for column in contract.columns}
    open_names = {name for name, column in table_column.items() if not contract.column_by_name[column].personal}
    return {
        name: cell if cell is None or name in open_names or name in RAW_COLUMNS else MASK
        for name, cell in value.items()
    }


def _cells(row: str) -> dict[str, Any]:
    try:
        value = json.loads(row)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"row": row}
