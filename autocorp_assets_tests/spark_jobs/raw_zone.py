"""Writes the raw zone as replication and transfer would, from changes given as Python values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from autocorp_assets.contracts import FEEDS, TABLES, raw_format
from autocorp_assets.contracts.model import Column

BEGAN = datetime(2024, 11, 21, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """One change as the source sends it; `row` may lack columns, a delete has its key alone."""

    op: str | None
    sequence: int
    row: Mapping[str, Any]
    unchanged: tuple[str, ...] = ()
    literal: Mapping[str, str] = field(default_factory=dict)

    @property
    def extension(self) -> str | None:
        said = {raw_format.UNCHANGED: list(self.unchanged), raw_format.LITERAL: dict(self.literal)}
        said = {name: value for name, value in said.items() if value}
        return json.dumps(said) if said else None


@dataclass
class RawZone:
    """The raw zone of one lake."""

    lake: Path

    def load(
        self,
        table: str,
        rows: Iterable[Mapping[str, Any] | Change],
        *,
        generation: int = 1,
        before: int = 0,
        types: Mapping[str, pa.DataType] | None = None,
    ) -> None:
        """A complete load of the table; changes with a sequence above `before` are newer.

        `types` are the source's columns where they are not the contract's, see `raw_types`.
        """
        rows = list(rows)
        names = [f"LOAD{generation:08X}.parquet"] if rows else []
        for name in names:
            self.load_file(table, name, rows, types=types)
        self.announce(table, names, rows=len(rows), generation=generation, before=before)

    def load_file(
        self,
        table: str,
        name: str,
        rows: Iterable[Mapping[str, Any] | Change],
        *,
        op: str | None = None,
        types: Mapping[str, pa.DataType] | None = None,
    ) -> Path:
        """A LOAD file, which counts once it is announced; `op` fills a column Op, which else it does not have."""
        changes = [row if isinstance(row, Change) else Change("I", 0, row) for row in rows]
        return self._write(table, name, [replace(change, op=op) for change in changes], types, is_load=True)

    def announce(self, table: str, names: list[str], *, rows: int, generation: int, before: int = 0) -> None:
        """The manifest that makes these LOAD files a complete load of the table."""
        manifest = {
            "generation": generation,
            "start_sequence": sequence_text(before + 1),
            "started_at": (BEGAN + timedelta(seconds=before)).isoformat(),
            "completed_at": BEGAN.isoformat(),
            "tables": {table: {"rows": rows, "files": names}},
        }
        path = self.lake / raw_format.LOAD_MANIFESTS / f"{generation:06d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest))

    def change_file(
        self, table: str, changes: Iterable[Change], *, second: int, types: Mapping[str, pa.DataType] | None = None
    ) -> Path:
        """A change file that was flushed `second` seconds after the first load; `types` as for `load`."""
        time = BEGAN + timedelta(seconds=second)
        folder = f"year={time:%Y}/month={time:%m}/day={time:%d}"
        return self.put(table, f"{folder}/{time:%Y%m%d-%H%M%S}000-{second:010d}-00.parquet", changes, types=types)

    def put(
        self, table: str, path: str, changes: Iterable[Change], *, types: Mapping[str, pa.DataType] | None = None
    ) -> Path:
        """A change file by its path below the table's raw folder; `types` as for `load`."""
        return self._write(table, path, list(changes), types)

    def csv(self, feed: str, day: str, text: str | bytes) -> Path:
        """A delivery with its receipt."""
        content = text if isinstance(text, bytes) else text.encode()
        name = f"{FEEDS[feed].name}-{day}.csv"
        path = self.lake / raw_format.feed_prefix(feed) / name
        receipt = self.lake / raw_format.TRANSFER_RECEIPTS / feed / f"{name}.json"
        for folder in (path.parent, receipt.parent):
            folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        receipt.write_text(json.dumps({"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}))
        return path

    def _write(
        self,
        table: str,
        name: str,
        changes: list[Change],
        types: Mapping[str, pa.DataType] | None = None,
        *,
        is_load: bool = False,
    ) -> Path:
        path = self.lake / raw_format.table_prefix(table) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        columns: dict[str, pa.Array] = {}
        if not is_load or any(change.op is not None for change in changes):
            columns[raw_format.OP] = pa.array([change.op for change in changes], pa.string())
        for column, type_ in (types or raw_types(table)).items():
            columns[column] = pa.array([change.row.get(column) for change in changes], type_)
        columns[raw_format.COMMIT_TIME] = pa.array([f"{BEGAN:%Y-%m-%d %H:%M:%S.%f}"] * len(changes))
        if not is_load:
            columns[raw_format.SEQUENCE] = pa.array([sequence_text(change.sequence) for change in changes])
        if not is_load or any(change.extension for change in changes):
            columns[raw_format.EXTENSION] = pa.array([change.extension for change in changes], pa.string())
        pq.write_table(pa.table(columns), path)
        return path


def raw_types(table: str) -> dict[str, pa.DataType]:
    """The source's columns as the contract has them, for a test to change."""
    return {column.name: arrow_type(column) for column in TABLES[table].columns}


def sequence_text(number: int) -> str:
    return f"{number:0{raw_format.SEQUENCE_DIGITS}d}"


def arrow_type(column: Column) -> pa.DataType:
    """What DMS's Parquet has for the column (facts: MONEY is DECIMAL(38,4))."""
    if column.source_type == "MONEY":
        return pa.decimal128(38, 4)
    if column.decimal_scale is not None:
        return pa.decimal128(12, column.decimal_scale)
    return {"int": pa.int32(), "string": pa.string(), "date": pa.date32(), "timestamp": pa.timestamp("us")}[column.type]
