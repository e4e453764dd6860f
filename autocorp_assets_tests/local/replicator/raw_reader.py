"""Reference reader: the raw zone folded into the rows that a reader must arrive at, slowly and plainly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
from psycopg import sql

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import (
    EXTENSION,
    LOAD_MANIFESTS,
    OP,
    RAW_COLUMNS,
    SEQUENCE,
    UNCHANGED,
    table_prefix,
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """One table's raw rows, loads apart from changes."""

    manifests: list[dict[str, Any]]
    loads: dict[int, list[Row]]
    changes: list[Row]

    @property
    def sequences(self) -> list[str]:
        return [change[SEQUENCE] for change in self.changes]


def manifests(lake: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((lake / LOAD_MANIFESTS).glob("[0-9]*.json"))]


def change_files(lake: Path, table: str) -> list[Path]:
    """In the order of their names, which is the order in which they were written."""
    return sorted((lake / table_prefix(table)).glob("year=*/month=*/day=*/*.parquet"), key=lambda path: path.name)


def read_raw(lake: Path, table: str) -> Raw:
    folder = lake / table_prefix(table)
    named = [m for m in manifests(lake) if table in m["tables"]]
    loads = {
        m["generation"]: [row for file in m["tables"][table]["files"] for row in _rows(folder / file)] for m in named
    }
    return Raw(named, loads, [row for file in change_files(lake, table) for row in _rows(file)])


def fold(lake: Path, table: str) -> dict[Any, Row]:
    """The table's rows by key: the newest load, and every change since, in sequence order."""
    raw, key = read_raw(lake, table), TABLES[table].primary_key
    newest = raw.manifests[-1]
    rows = {row[key]: _plain(row) for row in raw.loads[newest["generation"]]}
    for change in sorted(raw.changes, key=lambda change: change[SEQUENCE]):
        if change[SEQUENCE] < newest["start_sequence"]:
            continue
        if change[OP] == "D":
            rows.pop(change[key], None)
            continue
        unchanged = json.loads(change[EXTENSION] or "{}").get(UNCHANGED, [])
        kept = {name: rows[change[key]][name] for name in unchanged}
        rows[change[key]] = {**_plain(change), **kept}
    return rows


def source_rows(dsn: str, table: str, *, besides: Sequence[str] = ()) -> dict[Any, Row]:
    """What the source holds now, with money as the number that it is; without the rows of some keys."""
    key = TABLES[table].primary_key
    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table)))
        columns = [
            sql.SQL("{0}::numeric AS {0}").format(sql.Identifier(column.name))
            if column.type_display == "money"
            else sql.Identifier(column.name)
            for column in cursor.description or ()
        ]
        query = sql.SQL("SELECT {} FROM {} WHERE {}::text <> ALL(%s)").format(
            sql.SQL(", ").join(columns), sql.Identifier(table), sql.Identifier(key)
        )
        cursor = connection.execute(query, [list(besides)])
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return {row[key]: row for row in rows}


def assert_equal_to_source(dsn: str, lake: Path) -> None:
    """Every table of the lake folds to the source's rows, and no sequence was given twice or out of order."""
    sequences: list[str] = []
    for table in TABLES:
        assert fold(lake, table) == source_rows(dsn, table), table
        of_table = read_raw(lake, table).sequences
        assert of_table == sorted(of_table), f"{table}: files are not in the order of their changes"
        sequences += of_table
    assert len(sequences) == len(set(sequences))


def _rows(file: Path) -> list[Row]:
    return pq.ParquetFile(file).read().to_pylist()


def _plain(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in RAW_COLUMNS}
