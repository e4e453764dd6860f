"""Audit and quarantine as a curation run would leave them, and tables that stand at a revision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties

from autocorp_assets.checks.schemas import polars_type
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import AUDIT, QUARANTINE
from spark_jobs.checkpoint import Checkpoint, delta_user_metadata

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OUTCOMES = ("applied", "unchanged", "superseded", "duplicate", "quarantined")


@dataclass(frozen=True)
class LedgerWriter:
    """Writes what belongs to one table of the lake at `root`."""

    root: Path
    table: str = "auto_parts"

    def commit(self, checkpoint: Checkpoint, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        """A commit of a Delta table that carries the checkpoint."""
        contract = TABLES[self.table]
        schema = {column.name: polars_type(column) for column in contract.lake_columns}
        frame = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, strict=False)
        metadata = {"userMetadata": delta_user_metadata(checkpoint)}
        frame.write_delta(
            self.root / contract.lake_path,
            mode="append",
            delta_write_options={"commit_properties": CommitProperties(custom_metadata=metadata)},
        )

    def audit(self, batch: str, *lines: Mapping[str, Any], revision: int | None) -> None:
        """One batch's accounts; counts that a line does not name are 0 and `read` is their sum."""
        path = self.root / AUDIT / self.table / f"{batch}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(self._line(batch, line, revision))}\n" for line in lines))

    def _line(self, batch: str, line: Mapping[str, Any], revision: int | None) -> dict[str, Any]:
        counts = {outcome: line.get(outcome, 0) for outcome in OUTCOMES}
        known = {"revision": revision, "batch": batch, "etag": None} if revision is not None else {}
        stamp = {"run_id": f"run of {batch}", "table": self.table, "repairs": {}, "refused": None}
        written = (BEGAN + timedelta(minutes=revision or 0)).isoformat()
        return {**stamp, "written_at": written, **known, "read": sum(counts.values()), **counts, **line}

    def quarantine(self, batch: str, *rows: Mapping[str, Any], revision: int | None) -> None:
        """Rows kept out by one batch; one without a position is a marker."""
        folder = self.root / QUARANTINE / self.table / f"batch={batch}"
        folder.mkdir(parents=True, exist_ok=True)
        schema = {
            "file": pa.string(),
            "position": pa.int64(),
            "record_key": pa.string(),
            "reasons": pa.list_(pa.string()),
            "row": pa.string(),
            "run_id": pa.string(),
            "quarantined_at": pa.timestamp("us", "UTC"),
            **({"revision": pa.int32()} if revision is not None else {}),
        }
        stamp = {"run_id": f"run of {batch}", "quarantined_at": BEGAN + timedelta(minutes=revision or 0)}
        whole = [{**stamp, "revision": revision, **row} for row in rows]
        columns = {name: pa.array([row.get(name) for row in whole], kind) for name, kind in schema.items()}
        pq.write_table(pa.table(columns), folder / "part-00000.snappy.parquet")
        (folder / "_SUCCESS").touch()
