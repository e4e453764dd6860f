"""One table of the source, asked for sums and checksums; rows stay where they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from autocorp_assets.contracts.model import Column, TableContract
from autocorp_assets.reconciliation.canonical import postgres_checksum, postgres_value
from autocorp_assets.reconciliation.keys import Key, KeyRange, Rows

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

SCHEMA = "public"
_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


class NoSuchTable(LookupError):
    """The source lacks the table, or its key."""


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """Read through a connection as `resources.ports.source.ReadOnlySource` gives it."""

    connection: psycopg.Connection
    contract: TableContract
    columns: tuple[Column, ...]
    """The contract's columns that the source has."""

    @classmethod
    def of(cls, connection: psycopg.Connection, contract: TableContract) -> Self:
        """
        Raises:
            NoSuchTable: the source lacks the table, or its key.
        """
        from psycopg import sql

        name = sql.Identifier(SCHEMA, contract.name).as_string(connection)
        present = {row[0] for row in connection.execute(_COLUMNS, [name])}
        columns = tuple(column for column in contract.columns if column.name in present)
        if contract.primary_key not in present:
            what = f"column {contract.primary_key} of table {contract.name}" if present else f"table {contract.name}"
            message = f"the source has no {what}: connect to the right database, or create it"
            raise NoSuchTable(message)
        return cls(connection=connection, contract=contract, columns=columns)

    def buckets(self, starts: Sequence[Key], keys: KeyRange) -> dict[int, Rows]:
        """Rows and checksums by bucket, see `keys.Buckets`; one scan of the range in the server."""
        rows = self._query(
            "SELECT width_bucket({key}, %s::{type}[]), count(*), sum({checksum})::text FROM {table} WHERE {where} "
            "GROUP BY 1",
            keys,
            before=[list(starts)],
        )
        return {bucket: Rows(count, int(checksum)) for bucket, count, checksum in rows}

    def page(self, keys: KeyRange, limit: int) -> dict[Key, Rows]:
        """The first `limit` keys of the range, ascending, with their rows' checksums."""
        rows = self._query(
            "SELECT {key}, {checksum} FROM {table} WHERE {where} ORDER BY {key} LIMIT %s", keys, after=[limit]
        )
        return {key: Rows(1, checksum) for key, checksum in rows}

    def checksums(self, keys: Collection[Key]) -> dict[Key, Rows]:
        """The rows of these keys, as they are at one moment; keys without a row are left out."""
        rows = self._query(
            "SELECT {key}, {checksum} FROM {table} WHERE {key} = ANY (%s::{type}[])", KeyRange(), before=[list(keys)]
        )
        return {key: Rows(1, checksum) for key, checksum in rows}

    def digests(self, keys: Collection[Key]) -> dict[Key, tuple[str | None, ...]]:
        """A digest of each value of these keys' rows, in the order of `columns`."""
        rows = self._query(
            "SELECT {key}, {digests} FROM {table} WHERE {key} = ANY (%s::{type}[])", KeyRange(), before=[list(keys)]
        )
        return {key: tuple(digests) for key, *digests in rows}

    def _query(
        self, template: Any, keys: KeyRange, *, before: Sequence[object] = (), after: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a query; `before` and `after` are values for placeholders around those of the range."""
        from psycopg import sql

        where = [sql.SQL("{} {} %s").format(self._key, sql.SQL(operator)) for operator, _ in keys.bounds]
        query = sql.SQL(template).format(
            key=self._key,
            type=sql.SQL("bigint" if self._has_number_as_key else "text"),
            table=sql.Identifier(SCHEMA, self.contract.name),
            checksum=postgres_checksum(self.columns),
            digests=sql.SQL(", ").join(sql.SQL("md5({})").format(postgres_value(column)) for column in self.columns),
            where=sql.SQL(" AND ").join(where) if where else sql.SQL("true"),
        )
        values = [*before, *(value for _, value in keys.bounds), *after]
        return self.connection.execute(query, values).fetchall()

    @cached_property
    def _key(self) -> sql.Composable:
        from psycopg import sql

        name = sql.Identifier(self.contract.primary_key)
        # In the order of code points, as DuckDB and Python compare texts.
        return name if self._has_number_as_key else sql.SQL('({}::text COLLATE "C")').format(name)

    @property
    def _has_number_as_key(self) -> bool:
        return self.contract.column_by_name[self.contract.primary_key].type == "int"


def changed_columns(
    columns: Sequence[Column], left: Mapping[Key, tuple[str | None, ...]], right: Mapping[Key, tuple[str | None, ...]]
) -> dict[Key, tuple[str, ...]]:
    """For keys of both sides, the names of the columns whose digests differ."""
    return {
        key: tuple(
            column.name for column, here, there in zip(columns, digests, right[key], strict=True) if here != there
        )
        for key, digests in left.items()
        if key in right
    }
