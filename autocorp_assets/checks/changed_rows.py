"""The rows of a curated table that came with certain raw files, in bounded number, wherever the table lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from autocorp_assets.checks.schemas import polars_type
from autocorp_assets.contracts.model import RAW_FILE, TableContract
from autocorp_assets.lake.snapshots import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

    from autocorp_assets.resources.ports.query import Query

ROW_LIMIT = 200_000
"""Changed rows that one run judges: more would hold up a first load by seconds for no new insight."""
REMOTE_BYTES_LIMIT = 1024**3
"""Of a table in S3 whose files are read here, which takes some twenty seconds at 50 MB/s. Above it the query engine
looks, next to the data: that costs about a cent for each two GB."""
QUERY_ROW_LIMIT = 50_000
"""Rows asked of the query engine, which gives a thousand an answer: some fifteen seconds."""
QUERY_FILES_LIMIT = 1000
"""Raw files that one statement names: Athena takes 256 KB of SQL with its parameters. The newest are looked at."""


def changed_rows(
    snapshot: Snapshot, raw_files: Sequence[str], contract: TableContract, *, query: Query
) -> pl.DataFrame:
    """At most ROW_LIMIT rows of a snapshot whose last change came with one of these raw files.

    Args:
        snapshot: the table's newest version.
        raw_files: paths as the lake's column `raw_file` has them, oldest first.
        contract: the table.
        query: asked instead where the table is remote and larger than REMOTE_BYTES_LIMIT; for at most
            QUERY_ROW_LIMIT rows of the last QUERY_FILES_LIMIT files, in the version that it has then.

    Raises:
        QueryError: the query engine does not answer.
    """
    columns = {column.name: polars_type(column) for column in contract.lake_columns}
    if not snapshot.files or not raw_files:
        return pl.DataFrame(schema=columns)
    if not snapshot.is_remote:
        return _scanned(snapshot, raw_files, columns)
    if snapshot.bytes <= REMOTE_BYTES_LIMIT:
        return pl.DataFrame(_read(snapshot, raw_files, contract), schema_overrides=columns)
    return pl.DataFrame(_asked(query, raw_files, contract), schema_overrides=columns)


def _scanned(snapshot: Snapshot, raw_files: Sequence[str], columns: dict[str, pl.DataType]) -> pl.DataFrame:
    table = pl.scan_parquet(list(snapshot.files), missing_columns="insert", extra_columns="ignore", schema=columns)
    return table.filter(pl.col(RAW_FILE).is_in(list(raw_files))).head(ROW_LIMIT).collect()


def _read(snapshot: Snapshot, raw_files: Sequence[str], contract: TableContract) -> pa.Table:
    """Row groups without such a file are skipped, and reading ends with the last row that is wanted."""
    import pyarrow.compute as pc

    from autocorp_assets.lake.parquet_dataset import open_dataset

    dataset = open_dataset(snapshot, {column.name: column.type for column in contract.lake_columns})
    return dataset.head(ROW_LIMIT, filter=pc.field(RAW_FILE).isin(list(raw_files)))


def _asked(query: Query, raw_files: Sequence[str], contract: TableContract) -> pa.Table:
    from autocorp_assets.query.view_files import LAKE_SCHEMA

    files = raw_files[-QUERY_FILES_LIMIT:]
    names = ", ".join(f'"{column.name}"' for column in contract.lake_columns)
    places = ", ".join("?" * len(files))
    # Names are the contracts'; values go as parameters.
    sql = f'SELECT {names} FROM {LAKE_SCHEMA}.{contract.name} WHERE "{RAW_FILE}" IN ({places}) LIMIT {QUERY_ROW_LIMIT}'  # noqa: S608
    return query.run(sql, parameters=files).table
