"""A source, real replication from it, and a stand-in for curation that needs no Spark: whole tables, written anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, LiteralString

import polars as pl
import psycopg
from deltalake import CommitProperties

from autocorp_assets.checks.schemas import polars_type
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import CHANGE_SEQ, CHANGED_AT, RAW_FILE, TableContract
from autocorp_assets.contracts.raw_format import EXTENSION, OP, SEQUENCE, UNCHANGED
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.reconciliation.findings import TableReconciliation
from autocorp_assets.reconciliation.keys import KeyRange
from autocorp_assets.reconciliation.reconcile import Reconciler
from autocorp_assets.reconciliation.source_table import SourceTable
from autocorp_assets.resources.local_replication import LocalReplication
from autocorp_assets.resources.local_source import LocalSource
from autocorp_assets.resources.ports.replication import Replication
from autocorp_assets.settings import Settings
from spark_jobs.checkpoint import delta_user_metadata
from spark_jobs.plan import FileKind, advance

Row = dict[str, Any]
Rows = dict[Any, Row]
"""By key."""


@dataclass
class Platform:
    """Delta tables only."""

    settings: Settings
    dsn: str
    rows: dict[str, Rows] = field(default_factory=dict)
    """What each curated table holds, by key."""

    @property
    def lake(self) -> LakeStorage:
        return LakeStorage(self.settings.lake_folder)

    @cached_property
    def replication(self) -> LocalReplication:
        return LocalReplication(settings=self.settings)

    def execute(self, query: LiteralString, *values: object) -> None:
        with psycopg.connect(self.dsn) as connection:
            connection.execute(query, values)

    def replicate(self) -> None:
        self.replication.catch_up(deadline_seconds=60, on_progress=lambda _: None)

    def pending(self, table: str) -> list[str]:
        return [file.path for file in self.lake.pending_plans([table])[table].files]

    def curate(self, table: str, tamper: Callable[[Rows], None] | None = None) -> None:
        """Apply what is pending; `tamper` changes the rows that are written, once."""
        contract = TABLES[table]
        plan = self.lake.pending_plans([table])[table]
        stored = self.rows.setdefault(table, {})
        for file in plan.database_files:
            for row in pl.read_parquet(self.settings.lake_folder / file.path).to_dicts():
                key, deleted = row[contract.primary_key], row.get(OP) == "D"
                order = (file.kind is FileKind.CHANGE, row.get(SEQUENCE) or "")
                before = stored.get(key)
                if before is None or before["order"] < order:
                    # An update does not carry large values that it leaves as they are.
                    unchanged = json.loads(row.get(EXTENSION) or "{}").get(UNCHANGED, ())
                    kept = {name: before[name] for name in unchanged} if before else {}
                    stored[key] = {**row, **kept, "order": order, "deleted": deleted, RAW_FILE: file.path}
        live = {key: {**row} for key, row in stored.items() if not row["deleted"]}
        if tamper:
            tamper(live)
        metadata = delta_user_metadata(advance(plan, contract_version=contract.version, refused={}))
        frame(contract, list(live.values())).write_delta(
            self.settings.lake_folder / contract.lake_path,
            mode="overwrite",
            delta_write_options={"commit_properties": CommitProperties(custom_metadata={"userMetadata": metadata})},
        )

    def reconcile(
        self, table: str, keys: KeyRange | None = None, replication: Replication | None = None
    ) -> TableReconciliation:
        reconciler = Reconciler(
            lake=self.lake,
            replication=replication or self.replication,
            deadline_seconds=60,
            on_progress=lambda _: None,
        )
        with LocalSource(settings=self.settings).connect(statement_seconds=30) as connection:
            return reconciler.compare(SourceTable.of(connection, TABLES[table]), keys or KeyRange())


def frame(contract: TableContract, rows: list[Row]) -> pl.DataFrame:
    """Rows of the lake; what a row does not say of the contract's columns is null."""
    schema = {column.name: polars_type(column) for column in contract.lake_columns}
    lineage = {CHANGE_SEQ: "1", CHANGED_AT: datetime(2024, 11, 21, tzinfo=UTC)}
    whole = [{name: {**lineage, **row}.get(name) for name in schema} for row in rows]
    return pl.DataFrame(whole, schema=schema, strict=False)
