"""Shape of a source table, as the source's catalogue or its replication stream tells it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import psycopg
import pyarrow as pa

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import COMMIT_TIME, EXTENSION, OP, RAW_COLUMNS, SEQUENCE
from autocorp_assets.local.replicator.checkpoint import ReplicationError
from autocorp_assets.local.replicator.pgoutput import Relation
from autocorp_assets.local.replicator.values import arrow_type

SOURCE_SCHEMA = "public"

# What pgoutput sends: no dropped columns, and (up to PostgreSQL 17) no generated ones.
_COLUMNS = """
    SELECT attname, atttypid::bigint, atttypmod FROM pg_attribute
    WHERE attrelid = to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text))
      AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    ORDER BY attnum
"""


@dataclass(frozen=True)
class SourceColumn:
    name: str
    type_oid: int
    type_modifier: int

    @property
    def arrow_type(self) -> pa.DataType:
        return arrow_type(self.type_oid, self.type_modifier)


@dataclass(frozen=True)
class SourceTable:
    """Equal when name and columns are: a table whose shape changed is another one, with its own files."""

    name: str
    columns: tuple[SourceColumn, ...]
    key: tuple[int, ...]
    """Positions of the columns that identify a row."""

    def __post_init__(self) -> None:
        if taken := [column.name for column in self.columns if column.name in RAW_COLUMNS]:
            msg = f"public.{self.name} has columns {taken}, names that raw files use themselves: rename them"
            raise ReplicationError(msg)

    @cached_property
    def load_schema(self) -> pa.Schema:
        return pa.schema([*self._fields(), (COMMIT_TIME, pa.string()), (EXTENSION, pa.string())])

    @cached_property
    def change_schema(self) -> pa.Schema:
        lineage = [(COMMIT_TIME, pa.string()), (SEQUENCE, pa.string()), (EXTENSION, pa.string())]
        return pa.schema([(OP, pa.string()), *self._fields(), *lineage])

    def _fields(self) -> list[tuple[str, pa.DataType]]:
        return [(column.name, column.arrow_type) for column in self.columns]


def from_relation(relation: Relation) -> SourceTable | None:
    """The table that a relation message describes, None when it is not one of ours."""
    if relation.schema != SOURCE_SCHEMA or relation.table not in TABLES:
        return None
    columns = tuple(SourceColumn(c.name, c.type_oid, c.type_modifier) for c in relation.columns)
    identity = tuple(at for at, column in enumerate(relation.columns) if column.is_key)
    return SourceTable(relation.table, columns, _key(relation.table, columns) or identity)


def from_catalog(connection: psycopg.Connection, table: str) -> SourceTable:
    """The table as the connection's transaction sees it.

    Raises:
        ReplicationError: the source has no such table.
    """
    rows = connection.execute(_COLUMNS, {"schema": SOURCE_SCHEMA, "table": table}).fetchall()
    if not rows:
        msg = f"the source has no table {SOURCE_SCHEMA}.{table}: create it, or connect to the right database"
        raise ReplicationError(msg)
    columns = tuple(SourceColumn(*row) for row in rows)
    return SourceTable(table, columns, _key(table, columns))


def _key(table: str, columns: tuple[SourceColumn, ...]) -> tuple[int, ...]:
    return tuple(at for at, column in enumerate(columns) if column.name == TABLES[table].primary_key)
