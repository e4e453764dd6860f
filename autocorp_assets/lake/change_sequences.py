"""Which changes a raw change file holds, by its footer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autocorp_assets.contracts.raw_format import SEQUENCE

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem
    from pyarrow.parquet import ParquetFile


def first_sequence(file_system: FileSystem, path: str) -> str | None:
    """Least change sequence in a file; None when it has none, or is no whole Parquet file.

    Costs the footer, and the column where the writer kept no statistics. A file that cannot be read is the
    job's business, which names it without holding up other tables.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with file_system.open_input_file(path) as stream, ParquetFile(stream) as file:
            return _least(file) if SEQUENCE in file.schema_arrow.names else None
    except (OSError, pa.ArrowInvalid):
        return None


def _least(file: ParquetFile) -> str | None:
    column = file.schema_arrow.names.index(SEQUENCE)
    groups = [file.metadata.row_group(number).column(column) for number in range(file.metadata.num_row_groups)]
    if all(group.is_stats_set and group.statistics.has_min_max for group in groups):
        return min((group.statistics.min for group in groups), default=None)
    return min(filter(None, file.read(columns=[SEQUENCE])[SEQUENCE].to_pylist()), default=None)
