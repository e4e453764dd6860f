"""Athena's SQL over one consistent version of every table, on DuckDB in memory.

Which files a query may read is fixed before it runs: DuckDB is closed to every other file and to the
network, and its configuration locked, so that a statement which slips through the checks of
`dialect` still finds nothing to open. Files in S3 are read for it by pyarrow.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import LakeFormat, TableContract
from autocorp_assets.lake.parquet_dataset import open_dataset
from autocorp_assets.lake.snapshots import Snapshot, read_snapshot
from autocorp_assets.query.dialect import DEFAULT_SCHEMA, MACROS, translate
from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.result import QueryResult
from autocorp_assets.query.view_files import LAKE_SCHEMA, VIEWS_FOLDER, tables_below, view_files, views_below
from autocorp_assets.query.views import View, lake_catalog, load_views

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset

__all__ = ["LAKE_SCHEMA", "LakeQuery", "QueryResult", "duckdb_type"]

HUDI_COLUMNS = (
    "_hoodie_commit_time",
    "_hoodie_commit_seqno",
    "_hoodie_record_key",
    "_hoodie_partition_path",
    "_hoodie_file_name",
)
MEMORY_LIMIT = "50%"
"""Of the machine's memory. A query that needs more fails: nothing is spilled to disk."""
HUGE = "HUGEINT"
_KIND = re.compile(r"^(\w+ ){1,3}Error: ")
"""DuckDB's name for the part of it that refuses."""
DUCKDB_TYPE = {"string": "VARCHAR", "int": "INTEGER"}
"""Spark's names of types that DuckDB has under another; the rest are the same."""

SETTINGS_BEFORE_VIEWS = (
    "SET TimeZone = 'UTC'",
    "SET integer_division = true",  # Athena's 7 / 2 is 3
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",
)
SETTINGS_AFTER_VIEWS = (
    f"SET search_path = '{DEFAULT_SCHEMA}'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True)
class LakeQuery:
    """Queries over the lake at `root`, a local path or a URL."""

    root: str | Path
    memory_limit: str = MEMORY_LIMIT
    views: Path = VIEWS_FOLDER

    def connect(
        self, as_of: datetime | None = None, *, tables: Iterable[str] = tuple(TABLES)
    ) -> duckdb.DuckDBPyConnection:
        """A connection with all tables and views, each table as it was at one moment; only reads are possible.

        Args:
            as_of: an aware time; None is now.
            tables: those that are asked for. The others are empty: finding a table's files takes some 50 ms.

        Raises:
            TableNotReadable: see `lake.snapshots.read_snapshot`.
        """
        return self.connect_to(self._snapshots(tables, as_of))

    def run(self, sql: str, *, as_of: datetime | None = None, parameters: Sequence[object] = ()) -> QueryResult:
        """The rows of one statement of Athena's SQL that only reads.

        Args:
            sql: SELECT, WITH, VALUES, SHOW TABLES, DESCRIBE or EXPLAIN.
            as_of: read every table as it was then (an aware time); None is now.
            parameters: values for the statement's `?`.

        Raises:
            QueryError: the statement cannot be run; the message is for the analyst.
            TableNotReadable: see `lake.snapshots.read_snapshot`.
        """
        started = time.perf_counter()
        statement = translate(sql, catalog=lake_catalog(self.views))
        needed = tables_below(statement.tables, view_files(self.views))
        snapshots = self._snapshots(needed, as_of)
        connection, broken = self._open(snapshots)
        with connection:
            _refuse_broken(broken, statement.tables, load_views(self.views))
            try:
                relation = connection.sql(statement.sql, params=[*statement.parameters, *parameters])
                return QueryResult(
                    columns=tuple(relation.columns),
                    types=tuple("BIGINT" if kind == HUGE else kind for kind in map(str, relation.types)),
                    table=_with_bigints(relation),
                    seconds=time.perf_counter() - started,
                    absent=tuple(sorted(name for name in needed if snapshots[name] is None)),
                )
            except duckdb.Error as error:
                raise QueryError(_for_analyst(error)) from error

    def _snapshots(self, tables: Iterable[str], as_of: datetime | None) -> dict[str, Snapshot | None]:
        # A view whose SQL is wrong may name what does not exist.
        return {name: read_snapshot(self.root, TABLES[name], as_of) for name in tables if name in TABLES}

    def connect_to(self, snapshots: Mapping[str, Snapshot | None]) -> duckdb.DuckDBPyConnection:
        """A connection to these versions of tables; the others are there too, but empty. Only reads are possible.

        A view whose SQL is wrong is not there.
        """
        return self._open(snapshots)[0]

    def _open(self, snapshots: Mapping[str, Snapshot | None]) -> tuple[duckdb.DuckDBPyConnection, dict[str, str]]:
        """The connection, and what is wrong with the views that could not be made, by name."""
        connection = duckdb.connect(":memory:")
        existing = [snapshot for snapshot in snapshots.values() if snapshot and snapshot.files]
        local = [file for snapshot in existing if not snapshot.is_remote for file in snapshot.files]
        tables = [
            *SETTINGS_BEFORE_VIEWS,
            f"SET memory_limit = {_text(self.memory_limit)}",
            f"CREATE SCHEMA {LAKE_SCHEMA}",
            f"CREATE SCHEMA {DEFAULT_SCHEMA}",
            f"SET search_path = '{DEFAULT_SCHEMA}'",
            *(f"CREATE MACRO {macro}" for macro in MACROS),
            *(sql for contract in TABLES.values() for sql in _table_views(contract, snapshots.get(contract.name))),
        ]
        try:
            for snapshot in existing:
                if snapshot.is_remote:
                    connection.register(_remote(snapshot.table), _open_remote(snapshot))
            for statement in tables:
                connection.execute(statement)
            broken = _make_views(connection, load_views(self.views))
            for statement in (f"SET allowed_paths = {_list(local)}", *SETTINGS_AFTER_VIEWS):
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection, broken


def _make_views(connection: duckdb.DuckDBPyConnection, views: Iterable[View]) -> dict[str, str]:
    """Makes the views that can be made, and says what is wrong with the others, by name: none stops another."""
    broken: dict[str, str] = {}
    for view in views:
        if view.error:
            broken[view.name] = view.error
            continue
        try:
            connection.execute(view.sql)
        except duckdb.Error as error:
            broken[view.name] = _for_analyst(error)
    return broken


def _refuse_broken(broken: Mapping[str, str], tables: Iterable[tuple[str, str]], views: Sequence[View]) -> None:
    """Raises QueryError for the first view below a query that could not be made: later ones may only follow from it."""
    needed = views_below(tables, views)
    for name in (view.name for view in views if view.name in needed and view.name in broken):
        message = f"view {name} (queries/views/{name}.sql) is broken: {broken[name]}"
        raise QueryError(message)


def _table_views(contract: TableContract, snapshot: Snapshot | None) -> Iterator[str]:
    """Statements that create the table as it is stored, and as its contract describes it."""
    contracted = {column.name: column.type for column in contract.lake_columns}
    unnamed = {name: of for name, of in (snapshot.columns if snapshot else {}).items() if name not in contracted}
    typed = [(_name(name), duckdb_type(of)) for name, of in {**contracted, **unnamed}.items()]
    stored_only = HUDI_COLUMNS if contract.format is LakeFormat.HUDI else ()
    empty = ", ".join(f"NULL::{of} AS {name}" for name, of in [*((name, "VARCHAR") for name in stored_only), *typed])
    rows = f"SELECT {empty} LIMIT 0"
    if snapshot is not None and snapshot.files:
        # The empty part adds the columns that no file has yet.
        rows = f"FROM {_stored(snapshot)} UNION ALL BY NAME ({rows})"
    casts = ", ".join(f"{name}::{of} AS {name}" for name, of in typed)
    # Names are the contracts', texts are quoted: views take no parameters.
    yield f"CREATE VIEW {LAKE_SCHEMA}.{contract.name} AS SELECT * REPLACE ({casts}) FROM ({rows})"  # noqa: S608
    columns = ", ".join(_name(column.name) for column in contract.columns)
    analysts = f"{DEFAULT_SCHEMA}.{contract.name}"
    yield f"CREATE VIEW {analysts} AS SELECT {columns} FROM {LAKE_SCHEMA}.{contract.name}"  # noqa: S608
    for column in contract.columns:
        yield f"COMMENT ON COLUMN {analysts}.{_name(column.name)} IS {_text(column.description)}"


def _stored(snapshot: Snapshot) -> str:
    if snapshot.is_remote:
        return _name(_remote(snapshot.table))
    return f"read_parquet({_list(snapshot.files)}, union_by_name = true, hive_partitioning = false)"


def _remote(table: str) -> str:
    """Of what is registered for a table's files; no name that a query can use."""
    return f"files of {table}"


def _open_remote(snapshot: Snapshot) -> Dataset:
    # The schema that the table states, so that no file has to be opened for it; without one, that of the contract.
    contract = TABLES[snapshot.table]
    columns = snapshot.columns or {column.name: column.type for column in contract.lake_columns}
    stored_only = HUDI_COLUMNS if contract.format is LakeFormat.HUDI else ()
    return open_dataset(snapshot, {**dict.fromkeys(stored_only, "string"), **columns})


def _with_bigints(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    """The rows. A sum of whole numbers is a BIGINT in Athena; DuckDB's is wider and reaches Arrow as a decimal."""
    import pyarrow as pa

    table = relation.to_arrow_table()
    for index, kind in enumerate(map(str, relation.types)):
        if kind == HUGE:
            table = table.set_column(index, table.field(index).name, table.column(index).cast(pa.int64()))
    return table


def duckdb_type(spark_type: str) -> str:
    """DuckDB's name of a type of the lake."""
    return DUCKDB_TYPE.get(spark_type, spark_type.upper())


def _name(column: str) -> str:
    return f'"{column}"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _for_analyst(error: duckdb.Error) -> str:
    """DuckDB's message without the excerpt of the translated SQL, which the analyst did not write."""
    text, _, _ = str(error).partition("\nLINE ")
    # A setting that it proposes cannot be set here.
    text, _, _ = text.partition(", or SET ")
    return _KIND.sub("", text.strip()).replace("\n\n", "\n")
