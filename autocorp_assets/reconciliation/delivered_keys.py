"""The record keys that deliveries of a feed come to, folded file by file as the lake does it, on disk."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from autocorp_assets.contracts.model import CsvFeed, KeyForm, SourceSystem, TableContract
from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.raw_rows import csv_lines
from autocorp_assets.lake.row_versions import exported_key
from autocorp_assets.lake.storage import LakeStorage

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 50_000


@dataclass(frozen=True, kw_only=True)
class FoldedFile:
    """What came of one delivery."""

    rows: int
    quarantined: int
    lost: Sequence[int]
    """Positions of rows that name no record and are not in quarantine; the first few."""


@dataclass(frozen=True, kw_only=True)
class DeliveredKeys:
    """The table `expected` (record_key, parent, file, position): the records after all files that were folded in.

    `parent` is the record key, or for lines what all lines of their order share.
    """

    connection: duckdb.DuckDBPyConnection
    contract: TableContract
    feed: CsvFeed

    def make(self) -> None:
        """Empty, in place of whatever was there."""
        self.connection.execute(
            "CREATE OR REPLACE TABLE expected (record_key VARCHAR, parent VARCHAR, file VARCHAR, position BIGINT)"
        )

    def fold(self, lake: LakeStorage, path: str, *, file: str, kept_out: Collection[int], limit: int) -> FoldedFile:
        """Take in a delivery that is newer than all before it.

        A row in quarantine brings nothing: an older version of its record stays. A delivery of lines replaces all
        lines of every order of which it brings one.

        Args:
            lake: the lake.
            path: where the content lies, relative to the lake's root.
            file: what the content is called in the lake.
            kept_out: positions of its rows in quarantine.
            limit: positions of lost rows that are told.

        Raises:
            OSError: the file cannot be read.
        """
        self._stage(lake, path, kept_out)
        is_line = self.feed.key_form is KeyForm.LINE
        # Numbered before quarantine counts, as the job does it: a line keeps its number.
        number = "row_number() OVER (PARTITION BY key ORDER BY position)"
        record_key = f"parent || ':' || {number}" if is_line else "parent"
        self.connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE accepted AS
            FROM (
                SELECT CASE WHEN key IS NOT NULL THEN '{SourceSystem.CSV}:' || key END AS parent,
                       {record_key} AS record_key, position
                FROM staged
            )
            WHERE record_key IS NOT NULL AND position NOT IN (FROM kept_out)
            """  # noqa: S608
        )
        if is_line:
            self.connection.execute("DELETE FROM expected WHERE parent IN (SELECT parent FROM accepted)")
        self.connection.execute(
            """
            INSERT INTO expected
            SELECT record_key, any_value(parent), ?, max(position) FROM accepted
            WHERE record_key NOT IN (SELECT record_key FROM expected) GROUP BY record_key
            """,
            [file],
        )
        rows, quarantined = self._one("FROM staged SELECT count(*), count(*) FILTER (position IN (FROM kept_out))")
        lost = self.connection.execute(
            "FROM staged SELECT position WHERE key IS NULL AND position NOT IN (FROM kept_out) ORDER BY ALL LIMIT ?",
            [limit],
        ).fetchall()
        return FoldedFile(rows=rows, quarantined=quarantined, lost=[position for (position,) in lost])

    def _stage(self, lake: LakeStorage, path: str, kept_out: Collection[int]) -> None:
        import pyarrow as pa

        self.connection.execute("CREATE OR REPLACE TEMP TABLE staged (position BIGINT, key VARCHAR)")
        for batch in self._batches(lake, path):
            self.connection.register("batch", batch)
            self.connection.execute("INSERT INTO staged FROM batch")
        self.connection.unregister("batch")
        self.connection.register("kept_out", pa.table({"position": pa.array(sorted(kept_out), pa.int64())}))

    def _batches(self, lake: LakeStorage, path: str) -> Iterator[pa.Table]:
        import pyarrow as pa

        keys = self._keys(lake, path)
        position = 0
        while batch := list(islice(keys, BATCH_ROWS)):
            positions = pa.array(range(position + 1, position + 1 + len(batch)), pa.int64())
            yield pa.table({"position": positions, "key": pa.array(batch, pa.string())})
            position += len(batch)

    def _keys(self, lake: LakeStorage, path: str) -> Iterator[str | None]:
        """Of each row the key, None for one that names none. Also of rows with too few or too many cells, whose place
        is in quarantine: they count where lines are numbered.
        """
        file_system, root = open_file_system(lake.root)
        lines = csv_lines(file_system, f"{root}/{path}")
        header = [name.strip() for name in next(lines, [])]
        index = header.index(self.feed.key[0])
        for line in lines:
            yield exported_key(self.contract, self.feed, line[index]) if index < len(line) else None

    def _one(self, query: str) -> tuple[int, ...]:
        return self.connection.execute(query).fetchone() or ()
