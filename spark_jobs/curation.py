"""One table's pending raw files into the table: read, judge, reduce, account, commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession

from autocorp_assets.contracts.model import LakeFormat, TableContract
from autocorp_assets.contracts.model import SourceSystem as System
from spark_jobs import accounting, csv_rows, database_changes, reduction, stored_rows, table_shape
from spark_jobs import columns as c
from spark_jobs.accounting import BatchAccount, FileAccount, Ledger
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.hadoop_files import HadoopFiles
from spark_jobs.lake_tables.delta import DeltaTable
from spark_jobs.lake_tables.hudi import HudiTable
from spark_jobs.lake_tables.table import Committed, LakeTable
from spark_jobs.plan import FileKind, TablePlan, advance
from spark_jobs.retyping import retype


class TableMovedError(RuntimeError):
    """The table has another newest commit than the plan was made for."""


class MiscountError(RuntimeError):
    """The table's commit does not hold what it was given."""


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What one run did to one table."""

    table: str
    commit: str
    checkpoint: Checkpoint
    accounts: tuple[BatchAccount, ...]
    unknown_columns: tuple[str, ...]
    upserted: int
    deleted: int
    seconds: float

    @property
    def files(self) -> tuple[FileAccount, ...]:
        return tuple(file for account in self.accounts for file in account.files)


@dataclass(frozen=True, kw_only=True)
class Curation:
    """The curation of one table in one run. Each source system's part is a batch and a commit of its own."""

    spark: SparkSession
    contract: TableContract
    lake: str
    run_id: str
    announce: Callable[[str], None]

    @property
    def table(self) -> LakeTable:
        path = f"{self.lake}/{self.contract.lake_path}"
        format_of = {LakeFormat.HUDI: HudiTable, LakeFormat.DELTA: DeltaTable}
        return format_of[self.contract.format](self.spark, self.contract, path)

    @property
    def files(self) -> HadoopFiles:
        return HadoopFiles(self.spark)

    def run(self, plan: TablePlan) -> TableReport:
        """Applies the plan.

        Raises:
            TableMovedError: another writer has committed since the plan was made; nothing was written.
            MiscountError: a commit holds other rows than were asked for.
        """
        started = time.monotonic()
        self.table.recover()
        found = self.table.newest_commit()
        if found != plan.base_commit:
            message = f"{plan.table} is at commit {found}, the plan was made for {plan.base_commit}: plan again"
            raise TableMovedError(message)
        checkpoint = plan.checkpoint
        accounts: list[BatchAccount] = []
        unknown: set[str] = set()
        commits: list[Committed] = []
        for part in (self._database, self._csv):
            outcome = part(replace(plan, checkpoint=checkpoint))
            if outcome is None:
                continue
            committed, account, checkpoint, strangers = outcome
            commits.append(committed)
            accounts.append(account)
            unknown.update(strangers)
        return TableReport(
            table=plan.table,
            commit=commits[-1].commit if commits else str(found),
            checkpoint=checkpoint,
            accounts=tuple(accounts),
            unknown_columns=tuple(sorted(unknown)),
            upserted=sum(committed.upserted for committed in commits),
            deleted=sum(committed.deleted for committed in commits),
            seconds=time.monotonic() - started,
        )

    def _database(self, plan: TablePlan) -> tuple[Committed, BatchAccount, Checkpoint, tuple[str, ...]] | None:
        part = replace(plan, files=plan.database_files)
        if part.is_empty:
            return None
        if not part.files:
            return *self._shaped(part)._commit_without_rows(part, {}), ()
        files = database_changes.grouped(self.spark, part, self.lake)
        shape = table_shape.shaped(self.contract, self.table.columns(), files)
        rows = database_changes.read_changes(self.spark, files, part, shape, self.lake)
        shaped = self._shaped(part, shape)
        committed, account, checkpoint = shaped._batch(part, rows, System.DATABASE, refused={})
        return committed, account, checkpoint, database_changes.unknown_columns(files, self.contract)

    def _csv(self, plan: TablePlan) -> tuple[Committed, BatchAccount, Checkpoint, tuple[str, ...]] | None:
        feed = self.contract.csv_feed
        part = replace(plan, files=plan.csv_files, load_starts=((plan.checkpoint.generation, ""),))
        if feed is None or not part.files:
            return None
        verdicts = {
            file: csv_rows.inspect(self.files, f"{self.lake}/{file.path}", self.contract) for file in part.files
        }
        refused = {file.name: v.reason for file, v in verdicts.items() if isinstance(v, csv_rows.Refusal)}
        accepted = [(file, v) for file, v in verdicts.items() if isinstance(v, csv_rows.Header)]
        shaped = self._shaped(part)
        if not accepted:
            return *shaped._commit_without_rows(part, refused), ()
        rows = csv_rows.read_rows(self.spark, accepted, shaped.contract, self.lake)
        committed, account, checkpoint = shaped._batch(part, rows, System.CSV, refused=refused)
        return committed, account, checkpoint, tuple(name for _, header in accepted for name in header.unknown)

    def _shaped(self, plan: TablePlan, shape: TableContract | None = None) -> Curation:
        """The curation of the table with the columns that the contract does not name, those stored if not given.

        A column that is stored with another type than it shall have is changed first: a commit of its own,
        which carries the plan's checkpoint forward.
        """
        stored = self.table.columns()
        shaped = replace(self, contract=shape or table_shape.shaped(self.contract, stored, ()))
        if changed := table_shape.retyped(shaped.contract, stored):
            self.announce(f"{plan.table}: changing the types of stored columns: {changed}")
            retype(shaped.table, changed, checkpoint=plan.checkpoint)
        return shaped

    def _batch(
        self, plan: TablePlan, rows: DataFrame, system: System, *, refused: dict[str, str]
    ) -> tuple[Committed, BatchAccount, Checkpoint]:
        is_csv = system is System.CSV
        into_empty = _nothing_stored(plan.checkpoint, system)
        is_reload = not is_csv and plan.opens_generation and not into_empty
        if any(file.replay for file in plan.files):
            rows = reduction.without_settled(rows, plan.refold_sequence) if not is_csv else rows
            rows = rows if is_reload else reduction.only_touched(rows, self.contract, is_csv=is_csv)
        self.announce(f"{plan.table}: reading {len(plan.files)} raw file(s) of {system}")
        generation = plan.next_generation
        rows = _cut(reduction.classify(rows, self.contract, is_csv=is_csv, generation=generation))
        account = accounting.count(rows)
        stored = None
        if not into_empty and (is_csv or is_reload or self.contract.month_of or account.unresolved):
            stored = self.table.stored(system)
            unresolved = account.unresolved > 0
            kept_out = self._ledger(plan).kept_out_before(self.files) if unresolved else None
            if kept_out is not None:
                rows = stored_rows.without_unknown_values(rows, stored, kept_out, self.contract)
            rows = stored_rows.compare(
                rows, stored, self.contract, is_csv=is_csv, is_reload=is_reload, unresolved=unresolved
            )
            rows = _cut(rows)
            account = accounting.count(rows) if is_csv or is_reload or kept_out is not None else account
        account = account.of(plan, refused)
        return self._write(plan, rows, stored, system, account, is_reload=is_reload)

    def _write(
        self,
        plan: TablePlan,
        rows: DataFrame,
        stored: DataFrame | None,
        system: System,
        account: BatchAccount,
        *,
        is_reload: bool,
    ) -> tuple[Committed, BatchAccount, Checkpoint]:
        self._keep_account(plan, rows, account)
        into_empty = _nothing_stored(plan.checkpoint, system)
        frames = [stored_rows.writes(rows, self.contract, into_empty=into_empty)]
        if stored is not None and is_reload:
            frames.append(stored_rows.vanished(rows, stored, self.contract, generation=plan.next_generation))
        if stored is not None and system is System.CSV:
            frames += stored_rows.replaced_lines(rows, stored, self.contract)
        changes = stored_rows.union_all(frames)
        asked = _asked(changes)
        self.announce(f"{plan.table}: committing {asked[False]:,} upsert(s) and {asked[True]:,} delete(s) of {system}")
        checkpoint = self._next(plan, account)
        committed = self.table.commit(changes, checkpoint=checkpoint, into_empty=into_empty)
        # A row read again may already be stored as it is; Hudi counts the delete of an absent record as an upsert too.
        least = 0 if any(file.replay or file.judged_before for file in plan.files) else asked[False]
        if not least <= committed.upserted <= asked[False] + asked[True]:
            message = (
                f"{plan.table}: commit {committed.commit} holds {committed.upserted} upserts and {committed.deleted} "
                f"deletes, {asked[False]} and {asked[True]} were asked for: reconcile the table with its source"
            )
            raise MiscountError(message)
        return committed, account, checkpoint

    def _commit_without_rows(
        self, plan: TablePlan, refused: dict[str, str]
    ) -> tuple[Committed, BatchAccount, Checkpoint]:
        """Files without a row still move the checkpoint, so that they are not looked at again.

        A load without a row of a table that has some empties it: its source was truncated.
        """
        account = BatchAccount(files=()).of(plan, refused)
        system = System.CSV if plan.csv_files else System.DATABASE
        self._keep_account(plan, None, account)
        checkpoint = self._next(plan, account)
        into_empty = _nothing_stored(plan.checkpoint, system)
        changes = self._no_changes()
        if plan.opens_generation and not into_empty:
            changes = stored_rows.as_deletes(self.table.stored(system), self.contract)
        return self.table.commit(changes, checkpoint=checkpoint, into_empty=into_empty), account, checkpoint

    def _no_changes(self) -> DataFrame:
        schema = ", ".join(f"`{column.name}` {column.type}" for column in self.contract.lake_columns)
        return self.spark.createDataFrame([], f"{schema}, `{c.DELETED}` boolean")

    def _next(self, plan: TablePlan, account: BatchAccount) -> Checkpoint:
        refused = {file.file.rsplit("/", 1)[-1]: file.refused for file in account.files if file.refused}
        is_csv = any(file.kind is FileKind.CSV for file in plan.files)
        return advance(
            plan,
            contract_version=self.contract.version,
            refused=refused,
            high_sequence="" if is_csv else account.high_sequence,
        )

    def _keep_account(self, plan: TablePlan, rows: DataFrame | None, account: BatchAccount) -> None:
        """Before the commit: quarantine and audit of the batch."""
        ledger = self._ledger(plan)
        ledger.write_quarantine(self.files, rows, account, [file.path for file in plan.files if file.judged_before])
        ledger.write_audit(self.files, account)

    def _ledger(self, plan: TablePlan) -> Ledger:
        return Ledger(
            spark=self.spark,
            lake=self.lake,
            contract=self.contract,
            run_id=self.run_id,
            revision=plan.checkpoint.revision + 1,
        )


def _cut(rows: DataFrame) -> DataFrame:
    """Computes the rows once and forgets how: what follows is planned from here.

    A lost executor takes its part along and fails the job, which a repeated run mends. (`persist`
    would not shorten the plan: each later step would analyse and compare the whole of it.)
    """
    return rows.localCheckpoint()


def _asked(changes: DataFrame) -> dict[bool, int]:
    """Upserts (False) and deletes (True) that the table is asked to take."""
    counts = {row[c.DELETED]: row["count"] for row in changes.groupBy(c.DELETED).count().toLocalIterator()}
    return {deleted: counts.get(deleted, 0) for deleted in (False, True)}


def _nothing_stored(checkpoint: Checkpoint, system: System) -> bool:
    if system is System.DATABASE:
        return checkpoint.generation == 0
    return all(delivery.refused for delivery in checkpoint.deliveries.values())
