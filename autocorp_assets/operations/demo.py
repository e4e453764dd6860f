"""The steps of the demo, and what they came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts import TABLES
from autocorp_assets.operations.demo_home import fresh_home
from autocorp_assets.settings import PROJECT_FOLDER, Settings

if TYPE_CHECKING:
    from autocorp_assets.local.generator.landing import FileManifest
    from autocorp_assets.operations.sync import SyncReport
    from autocorp_assets.reconciliation.database import TableDifference

EXPORT_DAY = date(2024, 12, 31)
BURST_ORDERS = 50
PAST_QUESTIONS = {
    "auto_parts": "SELECT count(*) AS parts, sum(price) AS list_price_of_all FROM auto_parts",
    "sales_order": "SELECT count(*) AS orders, sum(total_amount) AS revenue FROM sales_order",
}
"""A Delta and a Hudi table, asked as of before the burst and now."""
SAVED_QUESTION = "queries/questions/top_services_by_revenue.sql"
SAVED_ROWS = 3

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question's answer before the burst of changes, and now."""

    table: str
    question: str
    before: dict[str, Any]
    now: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SavedAnswer:
    """First rows of what a saved question answers."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, kw_only=True)
class TableLine:
    """One table of source against lake."""

    table: str
    seed_rows: int
    source_rows: int
    lake_rows: int
    """The lake's rows from the database, comparable with the source's."""
    csv_rows: int
    differences: int


@dataclass(kw_only=True)
class DemoReport:
    """What the demo came to; `ok` only if everything agrees by key and value and no check failed."""

    tables: list[TableLine] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    checks_passed: int = 0
    checks_failed: int = 0
    problems: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    saved_answer: SavedAnswer | None = None

    @property
    def ok(self) -> bool:
        return bool(self.tables) and not self.problems and not self.checks_failed

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON of `autocorp demo --json`."""
        return {
            "ok": self.ok,
            "tables": [vars(line) for line in self.tables],
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "checks": {"passed": self.checks_passed, "failed": self.checks_failed},
            "problems": self.problems,
        }


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The main job, from an empty data folder."""

    settings: Settings
    customers: int
    orders: int
    seed: int
    on_step: Progress
    """Takes the name of each step as it begins."""
    on_progress: Progress
    report: DemoReport = field(default_factory=DemoReport)

    def run(self) -> DemoReport:
        """All steps; stops after a pass that failed, since what follows would only repeat it.

        Raises:
            NotFreshError: the data folder is not the demo's.
            HomeInUseError: something else runs on it.
        """
        from autocorp_assets.local.source.connection import open_source
        from autocorp_assets.local.spark_runtime import prepare

        with ExitStack() as until_the_end:
            until_the_end.enter_context(fresh_home(self.settings))
            with self._step("set up Spark"):
                prepare(self.settings)
            with self._step("start and seed the source"):
                source = until_the_end.enter_context(open_source(self.settings))
            self._run(source.dsn)
        self.report.seconds["total"] = sum(self.report.seconds.values())
        return self.report

    def _run(self, dsn: str) -> None:
        from autocorp_assets.local.generator.traffic import simulate

        seeded = source_counts(dsn)
        with self._step("write CSV exports"):
            manifests = self._export()
        if not self._sync("load and curate"):
            return
        before = datetime.now(UTC)
        with self._step("burst of changes"):
            simulate(dsn, orders=BURST_ORDERS, seed=self.seed)
        if not self._sync("follow the changes"):
            return
        with self._step("compare source and lake"):
            self._compare(dsn, seeded, manifests)
        with self._step("ask the past"):
            self.report.answers += [self._answer(table, question, before) for table, question in PAST_QUESTIONS.items()]
        with self._step("ask a saved question"):
            self.report.saved_answer = self._saved_answer()

    @contextmanager
    def _step(self, name: str) -> Generator[None]:
        self.on_step(name)
        started = time.monotonic()
        yield
        self.report.seconds[name] = time.monotonic() - started

    def _export(self) -> list[FileManifest]:
        from autocorp_assets.local.generator.exports import write_customers, write_sales_orders
        from autocorp_assets.local.generator.landing import FileManifest

        landing = self.settings.landing_folder
        people = write_customers(landing, EXPORT_DAY, count=self.customers, seed=self.seed)
        orders = write_sales_orders(landing, EXPORT_DAY, orders=self.orders, seed=self.seed)
        return [FileManifest.read(landing, people.name), *orders.files]

    def _sync(self, name: str) -> bool:
        from autocorp_assets.operations.sync import sync

        with self._step(name):
            passed = sync(self.settings, on_progress=self.on_progress)
        self._note(passed)
        return passed.ok

    def _note(self, passed: SyncReport) -> None:
        self.report.checks_passed += passed.checks.passed
        self.report.checks_failed += passed.checks.failed
        self.report.problems += [f"{table.table}: {table.error}" for table in passed.tables if table.error]
        self.report.problems += passed.failed_checks

    def _compare(self, dsn: str, seeded: dict[str, int], manifests: list[FileManifest]) -> None:
        from autocorp_assets.reconciliation.database import compare_table

        deliveries = {manifest.feed: manifest for manifest in manifests}
        for contract in TABLES.values():
            found = compare_table(dsn, self.settings.lake_folder, contract)
            csv_rows, of_csv = 0, []
            if contract.csv_feed:
                csv_rows, of_csv = self._compare_delivery(deliveries[contract.csv_feed.name])
            self.report.problems += [*_told(found), *of_csv]
            self.report.tables.append(
                TableLine(
                    table=contract.name,
                    seed_rows=seeded[contract.name],
                    source_rows=found.source_rows,
                    lake_rows=found.lake_rows,
                    csv_rows=csv_rows,
                    differences=found.count + len(of_csv),
                )
            )

    def _compare_delivery(self, manifest: FileManifest) -> tuple[int, list[str]]:
        from autocorp_assets.reconciliation.deliveries import (
            Expected,
            account_differences,
            compares_by_value,
            stored_rows,
            value_differences,
        )

        lake = self.settings.lake_folder
        expected = Expected(
            file=manifest.file,
            rows=manifest.rows,
            applied=manifest.applied,
            superseded=manifest.superseded,
            duplicate=manifest.duplicates,
            quarantined=sum(manifest.quarantined.values()),
        )
        problems = account_differences(manifest.feed, [expected], lake)
        stored = stored_rows(manifest.feed, lake)
        if stored != manifest.applied:
            problems.append(f"{manifest.file}: {stored:,} rows in the lake instead of {manifest.applied:,}")
        if compares_by_value(manifest.feed):
            differing = value_differences(manifest.feed, self.settings.landing_folder / manifest.file, lake)
            if differing:
                problems.append(f"{manifest.file}: {differing:,} rows differ from the file")
        return stored, problems

    def _answer(self, table: str, question: str, before: datetime) -> Answer:
        from autocorp_assets.query.engine import LakeQuery

        def ask(as_of: datetime | None) -> dict[str, Any]:
            result = LakeQuery(self.settings.lake_folder).run(question, as_of=as_of)
            return dict(zip(result.columns, next(iter(result.rows())), strict=True))

        return Answer(table=table, question=question, before=ask(before), now=ask(None))

    def _saved_answer(self) -> SavedAnswer:
        from autocorp_assets.query.engine import LakeQuery

        result = LakeQuery(self.settings.lake_folder).run((PROJECT_FOLDER / SAVED_QUESTION).read_text())
        return SavedAnswer(file=SAVED_QUESTION, columns=result.columns, rows=tuple(islice(result.rows(), SAVED_ROWS)))


def _told(found: TableDifference) -> list[str]:
    if not found.count:
        return []
    counts = f"{found.missing} missing, {found.extra} extra, {found.changed} changed"
    return [f"{found.table}: lake differs from source: {counts} ({'; '.join(found.sample)})"]


def source_counts(dsn: str) -> dict[str, int]:
    """Rows of each table in the source."""
    import psycopg
    from psycopg import sql

    count = sql.SQL("SELECT count(*) FROM {}")
    with psycopg.connect(dsn) as connection:
        found = {name: connection.execute(count.format(sql.Identifier("public", name))).fetchone() for name in TABLES}
    return {name: row[0] if row else 0 for name, row in found.items()}
