"""Rows as the source sent them, to Arrow batches in the layout of raw files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from autocorp_assets.contracts.raw_format import LITERAL, UNCHANGED
from autocorp_assets.local.replicator.pgoutput import Absent, Row
from autocorp_assets.local.replicator.table import SourceTable
from autocorp_assets.local.replicator.values import to_arrow


class ChangeRows:
    """Changes of one table, column by column ready for a row group."""

    def __init__(self, table: SourceTable) -> None:
        self.table = table
        self._ops: list[str] = []
        self._times: list[str] = []
        self._sequences: list[str] = []
        self._rows: list[Row] = []
        self._unchanged: dict[int, list[str]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, op: str, row: Row, *, commit_time: str, sequence: str) -> None:
        if op == "U" and Absent.UNCHANGED in row:
            names = [c.name for c, value in zip(self.table.columns, row, strict=True) if value is Absent.UNCHANGED]
            self._unchanged[len(self._rows)] = names
            row = [None if value is Absent.UNCHANGED else value for value in row]
        self._ops.append(op)
        self._times.append(commit_time)
        self._sequences.append(sequence)
        self._rows.append(row)

    def to_batch(self) -> pa.RecordBatch:
        """All rows, in the order of the changes."""
        text = [pa.array(column, pa.binary()).cast(pa.string()) for column in zip(*self._rows, strict=True)]
        columns, literals = typed(self.table, text)
        extension = _extension(len(self._rows), literals, self._unchanged)
        arrays = [pa.array(self._ops), *columns, pa.array(self._times), pa.array(self._sequences), extension]
        return pa.record_batch(arrays, schema=self.table.change_schema)


def load_batch(table: SourceTable, text: Sequence[pa.Array], *, transfer_time: str) -> pa.RecordBatch:
    """Rows of a full load, given as one array of text a column."""
    columns, literals = typed(table, text)
    count = len(text[0])
    times = pa.repeat(pa.scalar(transfer_time), count)
    return pa.record_batch([*columns, times, _extension(count, literals, {})], schema=table.load_schema)


def typed(table: SourceTable, text: Sequence[pa.Array]) -> tuple[list[pa.Array], dict[int, dict[str, str]]]:
    """Columns in their types, and by row the text of values that their type cannot hold."""
    arrays: list[pa.Array] = []
    literals: dict[int, dict[str, str]] = {}
    for column, values in zip(table.columns, text, strict=True):
        array, refused = to_arrow(values, type_oid=column.type_oid, type_modifier=column.type_modifier)
        arrays.append(array)
        for row, literal in refused.items():
            literals.setdefault(row, {})[column.name] = literal
    return arrays, literals


def _extension(
    count: int, literals: Mapping[int, Mapping[str, str]], unchanged: Mapping[int, Sequence[str]]
) -> pa.Array:
    if not literals and not unchanged:
        return pa.nulls(count, pa.string())
    texts: list[str | None] = [None] * count
    for row in literals.keys() | unchanged.keys():
        said = {UNCHANGED: unchanged.get(row), LITERAL: literals.get(row)}
        texts[row] = json.dumps({name: value for name, value in said.items() if value}, ensure_ascii=False)
    return pa.array(texts, pa.string())
