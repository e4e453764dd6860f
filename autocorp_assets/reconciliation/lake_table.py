"""The database's rows in one version of a curated table, asked for sums and checksums as the source is."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts.model import SOURCE_SYSTEM, Column, SourceSystem, TableContract
from autocorp_assets.lake.snapshots import Snapshot, read_snapshot
from autocorp_assets.reconciliation.canonical import duckdb_checksum, duckdb_name, duckdb_value
from autocorp_assets.reconciliation.keys import Buckets, Key, KeyRange, Rows

if TYPE_CHECKING:
    import duckdb

MOST_BUCKETS = 4096


@dataclass(frozen=True, kw_only=True)
class LakeTable:
    """Open for as long as its connection is; see `open_lake_table`."""

    connection: duckdb.DuckDBPyConnection
    contract: TableContract
    columns: tuple[Column, ...]
    snapshot: Snapshot | None
    """None when the table does not exist yet: it has no rows then."""

    def buckets(self, keys: KeyRange, rows_of_a_bucket: int) -> Buckets:
        """The range in buckets of about so many rows, and of more in a table of millions."""
        (rows,) = self._query("SELECT count({key}) FROM {table} WHERE {where}", keys)[0]
        size = max(rows_of_a_bucket, -(-rows // MOST_BUCKETS))
        found = self._query(
            """
            SELECT bucket, min(key), count(*), sum(checksum)
            FROM (
                SELECT {key} AS key, {checksum} AS checksum, (rank() OVER (ORDER BY {key}) - 1) // ? AS bucket
                FROM {table} WHERE {where} AND {key} IS NOT NULL
            )
            GROUP BY bucket ORDER BY bucket
            """,
            keys,
            before=[size],
        )
        # What comes before the lake's first key belongs to its first bucket.
        return Buckets(
            starts=[start for _, start, _, _ in found[1:]],
            rows={index: Rows(count, int(checksum)) for index, (_, _, count, checksum) in enumerate(found)},
        )

    def rows_without_key(self) -> int:
        return self._query("SELECT count(*) FROM {table} WHERE {key} IS NULL AND {where}", KeyRange())[0][0]

    def page(self, keys: KeyRange, limit: int) -> dict[Key, Rows]:
        """The first `limit` keys of the range, ascending."""
        return _by_key(
            self._query(
                "SELECT {key}, count(*), sum({checksum}) FROM {table} WHERE {where} AND {key} IS NOT NULL "
                "GROUP BY 1 ORDER BY 1 LIMIT ?",
                keys,
                after=[limit],
            )
        )

    def checksums(self, keys: Collection[Key]) -> dict[Key, Rows]:
        """The rows of these keys; keys without a row are left out."""
        return _by_key(
            self._query(
                "SELECT {key}, count(*), sum({checksum}) FROM {table} WHERE {where} AND {key} IN "
                "(SELECT unnest(?)) GROUP BY 1",
                KeyRange(),
                before=[list(keys)],
            )
        )

    def digests(self, keys: Collection[Key]) -> dict[Key, tuple[str | None, ...]]:
        """A digest of each value of these keys' rows, in the order of `columns`."""
        rows = self._query(
            "SELECT {key}, {digests} FROM {table} WHERE {where} AND {key} IN (SELECT unnest(?))",
            KeyRange(),
            before=[list(keys)],
        )
        return {key: tuple(digests) for key, *digests in rows}

    def _query(
        self, template: str, keys: KeyRange, *, before: Sequence[object] = (), after: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        from autocorp_assets.query.engine import LAKE_SCHEMA

        key = duckdb_name(self.contract.primary_key)
        system = [f"{SOURCE_SYSTEM} = '{SourceSystem.DATABASE}'"] if self.contract.has_two_systems else []
        query = template.format(
            key=key,
            table=f"{LAKE_SCHEMA}.{duckdb_name(self.contract.name)}",
            checksum=duckdb_checksum(self.columns),
            digests=", ".join(f"md5({duckdb_value(column)})" for column in self.columns),
            where=" AND ".join([*(f"{key} {operator} ?" for operator, _ in keys.bounds), *system]) or "true",
        )
        return self.connection.execute(query, [*before, *(value for _, value in keys.bounds), *after]).fetchall()


@contextmanager
def open_lake_table(lake: str | Path, contract: TableContract, columns: tuple[Column, ...]) -> Generator[LakeTable]:
    """The newest version of the table, which does not change while inside.

    Args:
        lake: the lake's root.
        contract: the table.
        columns: those of the contract that are compared.

    Raises:
        TableNotReadable: see `lake.snapshots.read_snapshot`.
    """
    from autocorp_assets.query.engine import LakeQuery

    snapshot = read_snapshot(lake, contract)
    with LakeQuery(lake).connect_to({contract.name: snapshot}) as connection:
        yield LakeTable(connection=connection, contract=contract, columns=columns, snapshot=snapshot)


def _by_key(rows: Sequence[tuple[Any, ...]]) -> dict[Key, Rows]:
    return {key: Rows(count, int(checksum)) for key, count, checksum in rows}
