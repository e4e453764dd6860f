"""Writes the raw zone as replication and transfer would, from changes given as Python values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

    op: str
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

    def load(self, table: str, rows: Iterable[Mapping[str, Any]], *, generation: int = 1, before: int = 0) -> None:
        """A complete load of the table; changes with a sequence above `before` are newer."""
        rows = list(rows)
        name = f"LOAD{generation:08X}.parquet"
        if rows:
            self._write(table, name, [Change("I", 0, row) for row in rows], is_load=True)
        manifest = {
            "generation": generation,
            "start_sequence": sequence_text(before + 1),
            "started_at": (BEGAN + timedelta(seconds=before)).isoformat(),
            "completed_at": BEGAN.isoformat(),
            "tables": {table: {"rows": len(rows), "files": [name] if rows else []}},
        }
        path = self.lake / raw_format.LOAD_MANIFESTS / f"{generation:06d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest))

    def change_file(self, table: str, changes: Iterable[Change], *, second: int) -> Path:
        """A change file that was flushed `second` seconds after the first load."""
        time = BEGAN + timedelta(seconds=second)
        folder = f"year={time:%Y}/month={time:%m}/day={time:%d}"
        return self.put(table, f"{folder}/{time:%Y%m%d-%H%M%S}000-{second:010d}-00.parquet", changes)

    def put(self, table: str, path: str, changes: Iterable[Change]) -> Path:
        """A change file by its path below the table's raw folder."""
        return self._write(table, path, list(changes))

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

    def _write(self, table: str, name: str, changes: list[Change], *, is_load: bool = False) -> Path:
        path = self.lake / raw_format.table_prefix(table) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        columns: dict[str, pa.Array] = {}
        if not is_load:
            columns[raw_format.OP] = pa.array([change.op for change in changes], pa.string())
        for column in TABLES[table].columns:
            columns[column.name] = pa.array([change.row.get(column.name) for change in changes], arrow_type(column))
        columns[raw_format.COMMIT_TIME] = pa.array([f"{BEGAN:%Y-%m-%d %H:%M:%S.%f}"] * len(changes))
        if not is_load:
            columns[raw_format.SEQUENCE] = pa.array([sequence_text(change.sequence) for change in changes])
            columns[raw_format.EXTENSION] = pa.array([change.extension for change in changes], pa.string())
        pq.write_table(pa.table(columns), path)
        return path


def sequence_text(number: int) -> str:
    return f"{number:0{raw_format.SEQUENCE_DIGITS}d}"


def arrow_type(column: Column) -> pa.DataType:
    """What DMS's Parquet has for the column (facts: MONEY is DECIMAL(38,4))."""
    if column.source_type == "MONEY":
        return pa.decimal128(38, 4)
    if column.decimal_scale is not None:
        return pa.decimal128(12, column.decimal_scale)
    return {"int": pa.int32(), "string": pa.string(), "date": pa.date32(), "timestamp": pa.timestamp("us")}[column.type]
