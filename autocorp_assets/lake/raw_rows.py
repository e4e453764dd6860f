"""Rows of raw files by key, read as they are: a row group or a line at a time."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow.fs import FileSystem


@dataclass(frozen=True, kw_only=True)
class RawRow:
    """A row of a raw file."""

    position: int
    """Ordinal in the file as the jobs count it: from 0 in Parquet, from 1 in CSV."""
    cells: Mapping[str, Any]
    """By the file's own column names."""


def parquet_rows(file_system: FileSystem, path: str, column: str, text: str) -> Iterator[RawRow]:
    """Rows of a Parquet file of which `column` has the value that `text` says, whatever its type.

    Of a row group whose statistics leave the value out nothing is read, of one without a match only the column.

    Raises:
        OSError, pyarrow.ArrowInvalid: the file cannot be read.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with file_system.open_input_file(path) as stream:
        parquet = pq.ParquetFile(stream)
        index = parquet.schema_arrow.get_field_index(column)
        wanted = _as_type(text, parquet.schema_arrow.field(index).type) if index >= 0 else None
        if wanted is None:
            return
        first = 0
        for group in range(parquet.num_row_groups):
            if _may_hold(parquet, group, index, wanted.as_py()):
                keys = parquet.read_row_group(group, columns=[column]).column(0)
                is_wanted = pc.call_function("equal", [keys, wanted])
                found = pc.call_function("indices_nonzero", [is_wanted])  # NULL is none
                if len(found):
                    rows = parquet.read_row_group(group).take(found).to_pylist()
                    for place, cells in zip(found.to_pylist(), rows, strict=True):
                        yield RawRow(position=first + place, cells=cells)
            first += parquet.metadata.row_group(group).num_rows


def _as_type(text: str, kind: pa.DataType) -> pa.Scalar | None:
    """The text's value in a column's type; None when it has none there."""
    import pyarrow as pa

    try:
        return pa.scalar(text).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _may_hold(parquet: pq.ParquetFile, group: int, index: int, value: Any) -> bool:
    statistics = parquet.metadata.row_group(group).column(index).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return statistics.min <= value <= statistics.max


def csv_rows(
    file_system: FileSystem, path: str, column: str, matches: Callable[[str | None], bool]
) -> Iterator[RawRow]:
    """Rows of a CSV file of which the cell of `column` matches; cells by the header's names, case-folded.

    A cell that a short row lacks is None. What is no UTF-8 is replaced: such files are refused as a whole.
    """
    lines = csv_lines(file_system, path)
    header = [name.strip().casefold() for name in next(lines, [])]
    if column.casefold() not in header:
        return
    index = header.index(column.casefold())
    for position, line in enumerate(lines, 1):
        if matches(line[index] if index < len(line) else None):
            yield RawRow(position=position, cells=dict.fromkeys(header) | dict(zip(header, line, strict=False)))


def csv_lines(file_system: FileSystem, path: str) -> Iterator[list[str]]:
    """The cells of the header, then of each row as the jobs count them: a line without anything is none."""
    csv.field_size_limit(sys.maxsize)
    with file_system.open_input_stream(path) as stream:
        reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline=""))
        yield from (line for line in reader if line)
