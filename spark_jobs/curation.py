"""One table's pending raw files into the table: read, judge, reduce, account, commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession

from autocorp_assets.contracts.model import LakeFormat, TableContract
from autocorp_assets.contracts.model import SourceSystem as System
from spark_jobs import accounting, csv_rows, database_changes, one_by_one, reduction, stored_rows, table_shape
from spark_jobs import columns as c
from spark_jobs.accounting import BatchAccount, FileAccount, Ledger
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.hadoop_files import HadoopFiles
from spark_jobs.lake_tables.delta import DeltaTable
from spark_jobs.lake_tables.gathered import GatheredTable
from spark_jobs.lake_tables.hudi import HudiTable
from spark_jobs.lake_tables.table import Committed, LakeTable
from spark_jobs.plan import FileKind, TablePlan, advance
from spark_jobs.rebuilding import Place
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
class _Done:
    """What the parts of a plan have come to."""

    checkpoint: Checkpoint
    commits: tuple[Committed, ...] = ()
    accounts: tuple[BatchAccount, ...] = ()
    unknown: frozenset[str] = frozenset()

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        return tuple(sorted(self.unknown))

    def and_then(
        self, committed: Committed, account: BatchAccount, checkpoint: Checkpoint, strangers: tuple[str, ...]
    ) -> _Done:
        return _Done(
            checkpoint=checkpoint,
            commits=(*self.commits, committed),
            accounts=(*self.accounts, account),
            unknown=self.unknown.union(strangers),
        )


@dataclass(frozen=True, kw_only=True)
class Curation:
    """The curation of one table in one run. Each source system's part is a batch and a commit of its own."""

    spark: SparkSession
    contract: TableContract
    lake: str
    run_id: str
    announce: Callable[[str], None]
    gathered: GatheredTable | None = None
    """Takes the commits of a table that is made from nothing, until all of it is together."""

    @property
    def table(self) -> LakeTable:
        return self.gathered or self.stored_table

    @property
    def stored_table(self) -> LakeTable:
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
        done = self._from_nothing(plan) if plan.from_nothing else self._parts(plan)
        return TableReport(
            table=plan.table,
            commit=done.commits[-1].commit if done.commits else str(found),
            checkpoint=done.checkpoint,
            accounts=done.accounts,
            unknown_columns=done.unknown_columns,
            upserted=sum(committed.upserted for committed in done.commits),
            deleted=sum(committed.deleted for committed in done.commits),
            seconds=time.monotonic() - started,
        )

    def _parts(self, plan: TablePlan) -> _Done:
        done = _Done(checkpoint=plan.checkpoint)
        for part in (self._database, self._csv):
            outcome = part(replace(plan, checkpoint=done.checkpoint))
            if outcome is not None:
                done = done.and_then(*outcome)
        return done

    def _from_nothing(self, plan: TablePlan) -> _Done:
        """All that raw says, in one commit that takes the place of the whole table.

        Columns that the contract does not name stay as they are stored; the others become what it says.
        """
        named = {column.name for column in self.contract.lake_columns}
        unnamed = {name: of for name, of in self.table.columns().items() if name not in named}
        gathered = GatheredTable(unnamed)
        done = replace(self, gathered=gathered)._parts(plan)
        self.announce(f"{plan.table}: committing {gathered.upserted:,} row(s) in the place of all")
        shape = table_shape.shaped(self.contract, gathered.columns(), ())
        place = Place(table=replace(self, contract=shape).table, contract=shape, lake=self.lake, files=self.files)
        committed = place.put(gathered.all_rows(), done.checkpoint, run_id=self.run_id, announce=self.announce)
        if committed.upserted != gathered.upserted:
            message = (
                f"{plan.table}: commit {committed.commit} holds {committed.upserted} rows, {gathered.upserted} were "
                "asked for: rebuild the table once more"
            )
            raise MiscountError(message)
        return replace(done, commits=(committed,))

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
        if self.gathered is None and (changed := table_shape.retyped(shaped.contract, stored)):
            self.announce(f"{plan.table}: changing the types of stored columns: {changed}")
            retype(shaped.table, changed, checkpoint=plan.checkpoint)
        return shaped

    def _batch(
        self, plan: TablePlan, rows: DataFrame, system: System, *, refused: dict[str, str]
    ) -> tuple[Committed, BatchAccount, Checkpoint]:
        is_csv = system is System.CSV
        into_empty = _nothing_stored(plan.checkpoint, system)
        is_reload = not is_csv and plan.opens_generation and not into_empty
        if any(file.replay for file in plan.files) and not into_empty:
            rows = reduction.without_settled(rows, plan.refold_sequence) if not is_csv else rows
            rows = rows if is_reload else reduction.only_touched(rows, self.contract, is_csv=is_csv)
        self.announce(f"{plan.table}: reading {len(plan.files)} raw file(s) of {system}")
        generation = plan.next_generation
        rows = reduction.classify(rows, self.contract, is_csv=is_csv, generation=generation)
        if is_csv and len(plan.files) > 1:
            rows = one_by_one.deliveries_one_by_one(rows, self.contract)
        elif into_empty and len(plan.load_starts) > 1:
            rows = one_by_one.loads_one_by_one(rows, self.contract, [number for number, _ in plan.load_starts])
        rows = _cut(rows)
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
        verb = "gathering" if self.gathered else "committing"
        self.announce(f"{plan.table}: {verb} {asked[False]:,} upsert(s) and {asked[True]:,} delete(s) of {system}")
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
