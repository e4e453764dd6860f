"""The catalog of one machine: DuckDB's, which the query engine makes of contracts and tables with each question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autocorp_assets.resources.ports.catalog import CatalogError, CatalogTable

REMEDY = (
    "the platform derives it from contract and table, so this is a defect of autocorp_assets/query/engine.py: report it"
)


@dataclass(frozen=True, kw_only=True)
class LocalCatalog:
    """Catalog in which nothing is ever entered, and so nothing can be out of date."""

    lake: str | Path

    def register(self, stored: Mapping[str, Mapping[str, str]]) -> Sequence[str]:  # noqa: ARG002 the port's
        return ()

    def describe(self, tables: Sequence[str]) -> Mapping[str, CatalogTable]:
        return {name: CatalogTable(columns=self._columns(name), remedy=REMEDY) for name in tables}

    def _columns(self, table: str) -> dict[str, str]:
        """Of `autocorp_lake.<table>`, as DESCRIBE tells them to an analyst."""
        from autocorp_assets.lake.versions import TableNotReadable
        from autocorp_assets.query.engine import DUCKDB_TYPE, LAKE_SCHEMA, LakeQuery

        spark_type = {duckdb.lower(): spark for spark, duckdb in DUCKDB_TYPE.items()}
        try:
            found = LakeQuery(self.lake).run(f"DESCRIBE {LAKE_SCHEMA}.{table}")
        except TableNotReadable as error:
            raise CatalogError(str(error)) from error
        return {name: spark_type.get(of, of) for name, of, _ in found.rows()}
