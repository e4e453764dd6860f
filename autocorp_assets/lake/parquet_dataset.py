"""The rows of a snapshot as one pyarrow dataset, wherever its files are: read by column, filter and row group.

For readers without a file system of their own for URLs: DuckDB's is an extension that has to be downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from autocorp_assets.lake.file_system import open_location
from autocorp_assets.lake.versions import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset

_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_ARROW_TYPE = {
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "boolean": "bool_",
    "float": "float32",
    "double": "float64",
    "string": "string",
    "binary": "binary",
    "date": "date32",
}
"""pyarrow's functions by Spark's names of types."""


def open_dataset(snapshot: Snapshot, columns: Mapping[str, str]) -> Dataset:
    """The snapshot's rows with these columns; what a file lacks is NULL, narrower types are widened.

    No file is opened: the types are those that the table's metadata states.

    Args:
        snapshot: with at least one file.
        columns: Spark SQL's types by name.
    """
    import pyarrow.dataset as ds

    file_system, _ = open_location(snapshot.files[0])
    return ds.FileSystemDataset.from_paths(
        [open_location(file)[1] for file in snapshot.files],
        schema=arrow_schema(columns),
        format=ds.ParquetFileFormat(coerce_int96_timestamp_unit="us"),
        filesystem=file_system,
    )


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """Of columns with Spark SQL's types; times are UTC. Raises ValueError for a type that no table of the lake has."""
    import pyarrow as pa

    return pa.schema([(name, _arrow_type(of)) for name, of in columns.items()])


def _arrow_type(spark_type: str) -> pa.DataType:
    import pyarrow as pa

    if spark_type in _ARROW_TYPE:
        return getattr(pa, _ARROW_TYPE[spark_type])()
    if decimal := _DECIMAL.fullmatch(spark_type):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if spark_type in ("timestamp", "timestamp_ntz"):
        # Without a zone, as SQL has them: readers push filters down only where they need not cast.
        return pa.timestamp("us")
    message = f"the lake has no tables with columns of type {spark_type}"
    raise ValueError(message)
