"""Where every raw row went: counts by file and outcome, the audit, the quarantine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import CHANGE_SEQ, CHANGED_AT, RAW_FILE, TableContract
from autocorp_assets.contracts.raw_format import AUDIT, QUARANTINE, RAW_DATABASE
from spark_jobs import columns as c
from spark_jobs.hadoop_files import HadoopFiles
from spark_jobs.plan import TablePlan
from spark_jobs.reduction import Outcome, change_sequence


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
    etag: str = ""
    """CSV deliveries: which content of that name; empty for files that never change."""


@dataclass(frozen=True, kw_only=True)
class BatchAccount:
    """A batch's files, and the newest change in it."""

    files: tuple[FileAccount, ...]
    newest_change: datetime | None = None
    high_sequence: str = ""
    """Greatest change sequence among the rows; empty without any."""
    unresolved: int = 0
    """Rows to apply that still miss a value which only the table knows."""

    @property
    def is_of_database(self) -> bool:
        return any(file.file.startswith(RAW_DATABASE) for file in self.files)

    def total(self, outcome: str) -> int:
        return sum(getattr(file, outcome) for file in self.files)

    def of(self, plan: TablePlan, refused: Mapping[str, str]) -> BatchAccount:
        """With a line for every file of the plan: those without a row, and those that were `refused` (by name).

        Raises:
            ValueError: rows name a file that the plan does not: their count would be lost.
        """
        known = {file.file: file for file in self.files}
        if strangers := known.keys() - {file.path for file in plan.files}:
            message = f"{plan.table}: rows of {', '.join(sorted(strangers))}, which the plan does not name"
            raise ValueError(message)
        return replace(
            self,
            files=tuple(
                replace(
                    known.get(file.path, FileAccount(file=file.path)), etag=file.etag, refused=refused.get(file.name)
                )
                for file in plan.files
                if not file.replay
            ),
        )


def count(rows: DataFrame) -> BatchAccount:
    """Counts the batch in one pass; what comes to the driver is one row a file and outcome.

    Rows of files that are replayed were accounted for before; they may miss a value all the same.
    """
    counted = rows.groupBy(RAW_FILE, c.OUTCOME, c.REPLAY)
    totals = list(
        counted.agg(
            F.count("*").alias("rows"),
            F.max(F.col(CHANGED_AT).cast("long")).alias("newest"),
            F.max(change_sequence()).alias("high_sequence"),
            F.count(F.when(F.size(c.UNCHANGED) > 0, 1)).alias("unresolved"),
        ).toLocalIterator()
    )
    found = {(row[RAW_FILE], row[c.OUTCOME]): row for row in totals if not row[c.REPLAY]}
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
        high_sequence=max((row["high_sequence"] or "" for row in found.values()), default=""),
        unresolved=sum(row["unresolved"] for row in totals if row[c.OUTCOME] == Outcome.APPLIED),
    )


def _file_account(file: str, rows: dict[str, int], mended: dict[str, dict[str, int]]) -> FileAccount:
    counts = {str(outcome): rows.get(outcome, 0) for outcome in Outcome}
    return replace(FileAccount(file=file, read=sum(rows.values()), repairs=mended.get(file, {})), **counts)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Writes a batch's audit and quarantine before its commit.

    Both are named by the revision that the batch commits as: whatever batch comes to it after a crash replaces
    what the dead one wrote, and what a reader finds beyond the table's own revision was never committed.
    """

    spark: SparkSession
    lake: str
    contract: TableContract
    run_id: str
    revision: int

    @property
    def batch(self) -> str:
        return f"{self.revision:08d}"

    def write_audit(self, files: HadoopFiles, account: BatchAccount) -> None:
        """One JSON line a file."""
        stamp = {
            "run_id": self.run_id,
            "table": self.contract.name,
            "revision": self.revision,
            "written_at": datetime.now(UTC).isoformat(),
        }
        lines = [json.dumps({**stamp, **asdict(file)}) for file in account.files]
        files.write_text(f"{self.lake}/{AUDIT}/{self.contract.name}/{self.batch}.jsonl", "\n".join(lines) + "\n")

    def write_quarantine(
        self, files: HadoopFiles, rows: DataFrame | None, account: BatchAccount, judged_before: Sequence[str]
    ) -> None:
        """The rows kept out, whole, each with its place and reasons; nothing where there is nothing to say.

        A file that was judged before gets a row without a position: what earlier revisions hold of it no
        longer counts, since all of it has been judged anew.
        """
        frames = [self._markers(judged_before)] if judged_before else []
        if rows is not None and account.total(Outcome.QUARANTINED):
            frames.append(self._kept_out(rows))
        folder = f"{self.lake}/{QUARANTINE}/{self.contract.name}/batch={self.batch}"
        if not frames:
            files.delete(folder)  # what a dead batch left there
            return
        (
            reduce(DataFrame.unionByName, frames)
            .withColumns(
                {
                    "run_id": F.lit(self.run_id),
                    "quarantined_at": F.current_timestamp(),
                    "revision": F.lit(self.revision),
                }
            )
            .write.mode("overwrite")
            .parquet(folder)
        )

    def kept_out_before(self, files: HadoopFiles) -> DataFrame | None:
        """`record_key` and greatest `change_seq` of what earlier revisions have kept out; None if nothing."""
        folder = f"{self.lake}/{QUARANTINE}/{self.contract.name}"
        if not files.exists(folder):
            return None
        rows = self.spark.read.schema(f"record_key string, {CHANGE_SEQ} string, revision int").parquet(folder)
        return (
            rows.filter(F.col("revision") < self.revision)
            .groupBy("record_key")
            .agg(F.max(CHANGE_SEQ).alias(CHANGE_SEQ))
        )

    def _kept_out(self, rows: DataFrame) -> DataFrame:
        return rows.filter((F.col(c.OUTCOME) == str(Outcome.QUARANTINED)) & ~F.col(c.REPLAY)).select(
            F.col(RAW_FILE).alias("file"),
            F.col(c.POSITION).alias("position"),
            F.col(self.contract.record_key).cast("string").alias("record_key"),
            F.col(c.BROKEN).alias("reasons"),
            F.col(c.RAW_ROW).alias("row"),
            F.col(CHANGE_SEQ),
        )

    def _markers(self, files: Sequence[str]) -> DataFrame:
        return self.spark.createDataFrame(
            [(file, None, None, None, None, None) for file in files],
            f"file string, position bigint, record_key string, reasons array<string>, row string, {CHANGE_SEQ} string",
        )
