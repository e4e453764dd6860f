"""Where every raw row went: counts by file and outcome, the audit, the quarantine."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import CHANGED_AT, RAW_FILE, TableContract
from autocorp_assets.contracts.raw_format import AUDIT, QUARANTINE
from spark_jobs import columns as c
from spark_jobs.hadoop_files import HadoopFiles
from spark_jobs.reduction import Outcome


@dataclass(frozen=True, kw_only=True)
class FileAccount:
    """Rows of one raw file by outcome: read = applied + unchanged + superseded + duplicate + quarantined."""

    file: str
    read: int = 0
    applied: int = 0
    unchanged: int = 0
    superseded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    repairs: dict[str, int] = field(default_factory=dict)
    """Rows by what was mended in them."""
    refused: str | None = None
    """Why the file as a whole was not read."""


@dataclass(frozen=True, kw_only=True)
class BatchAccount:
    """A batch's files, and the newest change in it."""

    files: tuple[FileAccount, ...]
    newest_change: datetime | None = None
    unresolved: int = 0
    """Rows to apply that still miss a value which only the table knows."""

    def total(self, outcome: str) -> int:
        return sum(getattr(file, outcome) for file in self.files)


def count(rows: DataFrame) -> BatchAccount:
    """Counts the batch in one pass; what comes to the driver is one row a file and outcome."""
    counted = rows.filter(~F.col(c.REPLAY)).groupBy(RAW_FILE, c.OUTCOME)
    totals = counted.agg(
        F.count("*").alias("rows"),
        F.max(F.col(CHANGED_AT).cast("long")).alias("newest"),
        F.count(F.when(F.size(c.UNCHANGED) > 0, 1)).alias("unresolved"),
    ).toLocalIterator()
    found = {(row[RAW_FILE], row[c.OUTCOME]): row for row in totals}
    repaired = rows.filter(~F.col(c.REPLAY) & (F.size(c.REPAIRS) > 0)).select(
        RAW_FILE, F.explode(c.REPAIRS).alias("repair")
    )
    mended: dict[str, dict[str, int]] = {}
    for row in repaired.groupBy(RAW_FILE, "repair").count().toLocalIterator():
        mended.setdefault(row[RAW_FILE], {})[row["repair"]] = row["count"]
    newest = max((row["newest"] for row in found.values() if row["newest"] is not None), default=None)
    return BatchAccount(
        files=tuple(
            _file_account(
                file, {outcome: row["rows"] for (name, outcome), row in found.items() if name == file}, mended
            )
            for file in sorted({name for name, _ in found})
        ),
        newest_change=None if newest is None else datetime.fromtimestamp(newest, UTC),
        unresolved=sum(row["unresolved"] for (_, outcome), row in found.items() if outcome == Outcome.APPLIED),
    )


def _file_account(file: str, rows: dict[str, int], mended: dict[str, dict[str, int]]) -> FileAccount:
    counts = {str(outcome): rows.get(outcome, 0) for outcome in Outcome}
    return replace(FileAccount(file=file, read=sum(rows.values()), repairs=mended.get(file, {})), **counts)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Writes a batch's audit and quarantine before its commit.

    `batch` names what the batch stands on, so that one repeated after a crash replaces what it wrote.
    """

    lake: str
    contract: TableContract
    run_id: str
    batch: str

    def write_audit(self, files: HadoopFiles, account: BatchAccount) -> None:
        """One JSON line a file."""
        stamp = {"run_id": self.run_id, "table": self.contract.name, "written_at": datetime.now(UTC).isoformat()}
        lines = [json.dumps({**stamp, **asdict(file)}) for file in account.files]
        files.write_text(f"{self.lake}/{AUDIT}/{self.contract.name}/{self.batch}.jsonl", "\n".join(lines) + "\n")

    def write_quarantine(self, rows: DataFrame) -> None:
        """The rows kept out, whole, each with its place and reasons."""
        kept_out = rows.filter((F.col(c.OUTCOME) == str(Outcome.QUARANTINED)) & ~F.col(c.REPLAY))
        (
            kept_out.select(
                F.col(RAW_FILE).alias("file"),
                F.col(c.POSITION).alias("position"),
                F.col(self.contract.record_key).cast("string").alias("record_key"),
                F.col(c.BROKEN).alias("reasons"),
                F.col(c.RAW_ROW).alias("row"),
                F.lit(self.run_id).alias("run_id"),
                F.current_timestamp().alias("quarantined_at"),
            )
            .write.mode("overwrite")
            .parquet(f"{self.lake}/{QUARANTINE}/{self.contract.name}/batch={self.batch}")
        )
