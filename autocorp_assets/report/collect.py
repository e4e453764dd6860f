"""Reads what the report says: of the lake what holds now, of Dagster's records those of the period, up to a limit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.asset_keys import curated_key, raw_table_key
from autocorp_assets.automation.completeness import heard_until
from autocorp_assets.checks.meaning import Occasion
from autocorp_assets.checks.reconciliation import RECONCILIATION
from autocorp_assets.checks.results import LastEvaluation
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.quarantine import Quarantine
from autocorp_assets.lake.row_count import row_count
from autocorp_assets.lake.snapshots import Snapshot, TableNotReadable, read_columns, read_snapshot
from autocorp_assets.report.model import (
    CheckResult,
    DayOfRows,
    QuarantineNow,
    QuarantineReason,
    Reconciliation,
    ReplicationReport,
    Report,
    RowsOfPeriod,
    RunFailure,
    SchemaChange,
    State,
    TableReport,
)
from autocorp_assets.report.records import RUNS_READ, Records, TableRun
from autocorp_assets.report.verdict import COMPLETE, judge_freshness
from autocorp_assets.report.words import without_values

if TYPE_CHECKING:
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.operations.checks_reference import DescribedCheck
    from autocorp_assets.resources.ports.replication import ReplicationState

OLD = timedelta(days=1)
"""After which the good result of an hourly check says nothing any more."""
OUTCOMES = ("read", "applied", "unchanged", "superseded", "duplicate", "quarantined", "repaired")


@dataclass(frozen=True, kw_only=True)
class Collector:
    """Everything that the report is read from.

    `instance` is None where Dagster has no records yet; `replication` is None where nothing says how it stands.
    """

    lake: LakeStorage
    instance: dg.DagsterInstance | None
    replication: ReplicationState | None
    checks: Sequence[DescribedCheck]
    now: datetime
    days: int
    deployment: str
    runs_read: int = RUNS_READ
    """Of one table, at most."""

    def collect(self) -> Report:
        """Costs what `autocorp status` does, and the records of the period."""
        return Report(
            generated_at=self.now,
            days=self.period,
            deployment=self.deployment,
            replication=self._replication(),
            tables=tuple(self._table(contract) for contract in TABLES.values()),
            other_checks=tuple(self._check(check) for check in self.checks if check.table is None),
        )

    @cached_property
    def period(self) -> tuple[date, ...]:
        today = self.now.date()
        return tuple(today - timedelta(days=ago) for ago in reversed(range(self.days)))

    @cached_property
    def records(self) -> Records:
        return Records(instance=self.instance, since=self.since)

    @property
    def since(self) -> datetime:
        return datetime.combine(self.period[0], time(), UTC)

    def _replication(self) -> ReplicationReport | None:
        state = self.replication
        if state is None:
            return None
        return ReplicationReport(
            running=state.running, should_run=state.should_run, summary=without_values(state.summary)
        )

    def _table(self, contract: TableContract) -> TableReport:
        snapshot, pending, problem = self._stored(contract)
        found = self.records.materializations(curated_key(contract.name), limit=self.runs_read)
        runs = [one for one in found if one.complete_until is None]
        compared_with, changes = self._schema_changes(contract, snapshot, runs)
        ours = (check for check in self.checks if check.table == contract.name)
        # How fresh the table is now is asked here, and needs no earlier answer.
        checks = tuple(self._check(check) for check in ours if not check.is_of_freshness)
        return TableReport(
            table=contract.name,
            description=contract.description,
            format=str(contract.format),
            exists=snapshot is not None or bool(problem),
            problem=problem,
            rows=row_count(snapshot.files) if snapshot else None,
            committed_at=snapshot.committed_at if snapshot else None,
            freshness=judge_freshness(
                contract.service_level,
                now=self.now,
                exists=snapshot is not None,
                in_raw_at=self._in_raw_at(contract, found[0] if found else None),
                last_run_at=runs[0].at if runs else None,
                applied=next((run.applied for run in runs if run.applied), None),
                pending_files=len(pending),
                pending_since=self.lake.oldest(pending),
                replication_down=self._replication_down,
            ),
            taken_in=rows_of_period(runs, self.period, is_cut=len(found) >= self.runs_read),
            checks=checks,
            quarantine=self._quarantine(contract),
            reconciliation=self._reconciliation(contract),
            schema_changes=changes,
            schema_compared_with=compared_with,
            failure=self._failure(contract, runs),
        )

    def _stored(self, contract: TableContract) -> tuple[Snapshot | None, list[str], str]:
        """The table, paths of raw files that it has not taken in, and why it cannot be read."""
        try:
            snapshot = read_snapshot(self.lake.root, contract)
            plan = self.lake.pending_plans([contract.name])[contract.name]
        except ValueError as error:  # TableNotReadable is one
            return None, [], without_values(str(error))
        return snapshot, [file.path for file in plan.files if not file.replay], ""

    @property
    def _replication_down(self) -> str:
        state = self.replication
        return "" if state is None or state.running else without_values(state.summary)

    def _in_raw_at(self, contract: TableContract, last: TableRun | None) -> datetime | None:
        """Until when raw was last known to hold what the database said of the table."""
        found = [record.at for record in self.records.materializations(raw_table_key(contract.name), limit=1)]
        recorded = last.complete_until if last else None
        word = heard_until(self.replication, now=self.now, table=contract.name)
        return max(filter(None, (*found, recorded, word)), default=None)

    def _check(self, check: DescribedCheck) -> CheckResult:
        last = self.records.last_evaluated(check.key)
        meaning = check.meaning
        return CheckResult(
            asset=check.asset,
            name=check.name,
            title=meaning.title if meaning else "",
            answers=str(meaning.answers) if meaning else COMPLETE,
            runs=str(meaning.runs) if meaning else "",
            state=check_state(last, now=self.now, is_hourly=meaning is not None and meaning.runs is Occasion.HOURLY),
            at=last.at if last else None,
            told=without_values(last.evaluation.description or "") if last else "",
            what_to_do=meaning.what_to_do if meaning else check.description,
        )

    def _quarantine(self, contract: TableContract) -> QuarantineNow:
        quarantine = Quarantine(self.lake, contract)
        rows = quarantine.count()
        by_day: defaultdict[str, Counter[date]] = defaultdict(Counter)
        for found in quarantine.trend(self.period[0]):
            by_day[found.reason][found.day] += found.rows
        now: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for group in quarantine.groups() if rows else ():
            now[group.reason] += group.rows
            files[group.reason] += 1
        reasons = sorted({*now, *by_day}, key=lambda reason: (-now[reason], reason))
        return QuarantineNow(
            rows=rows,
            reasons=tuple(
                QuarantineReason(
                    reason=reason,
                    rows=now[reason],
                    files=files[reason],
                    by_day=tuple(by_day[reason][day] for day in self.period),
                )
                for reason in reasons
            ),
        )

    def _reconciliation(self, contract: TableContract) -> Reconciliation | None:
        last = self.records.last_evaluated(dg.AssetCheckKey(curated_key(contract.name), RECONCILIATION))
        if last is None:
            return None
        figures = {name: value.value for name, value in last.evaluation.metadata.items()}
        return Reconciliation(
            state=check_state(last, now=self.now, is_hourly=True),
            at=last.at,
            told=without_values(last.evaluation.description or ""),
            rows_source=_figure(figures, "rows_source"),
            rows_lake=_figure(figures, "rows_lake"),
            differences=_figure(figures, "differences"),
        )

    def _schema_changes(
        self, contract: TableContract, snapshot: Snapshot | None, runs: Sequence[TableRun]
    ) -> tuple[datetime | None, tuple[SchemaChange, ...]]:
        """With the time that today's columns are compared with; None for the contract, of a table that is younger."""
        if snapshot is None:
            return None, ()
        agreed = {column.name: column.type for column in contract.lake_columns}
        try:
            before = read_columns(self.lake.root, contract, self.since)
        except TableNotReadable:
            before = None
        reported: dict[str, datetime] = {}
        for run in reversed(runs):
            for name in run.metadata.get("unknown_columns") or ():
                reported.setdefault(str(name), run.at)
        changes = schema_changes(before or agreed, snapshot.columns, agreed=agreed, reported=reported)
        return (self.since if before else None), changes

    def _failure(self, contract: TableContract, runs: Sequence[TableRun]) -> RunFailure | None:
        failed = self.records.failures.get(contract.name)
        if failed is None or (runs and runs[0].at > failed.at):
            return None
        return RunFailure(at=failed.at, run_id=failed.run_id, reason=without_values(failed.reason))


def check_state(last: LastEvaluation | None, *, now: datetime, is_hourly: bool) -> State:
    """A failure counts until the check passes; a good result of an hourly check only for a day."""
    if last is None:
        return State.UNKNOWN
    if not last.evaluation.passed:
        return State.ERROR if last.evaluation.severity is dg.AssetCheckSeverity.ERROR else State.WARNING
    return State.UNKNOWN if is_hourly and now - last.at > OLD else State.GOOD


def rows_of_period(runs: Sequence[TableRun], days: Sequence[date], *, is_cut: bool) -> RowsOfPeriod:
    """Adds up what runs say.

    Args:
        runs: newest first.
        days: of the period, oldest first.
        is_cut: whether there may have been more of them.
    """
    reading = [run for run in runs if run.number("rows_read")]
    by_day: dict[date, Counter[str]] = {day: Counter() for day in days}
    for run in reading:
        for outcome in OUTCOMES:
            by_day.setdefault(run.at.date(), Counter())[outcome] += run.number(f"rows_{outcome}")
    totals = sum(by_day.values(), Counter())
    return RowsOfPeriod(
        runs=len(reading),
        **{outcome: totals[outcome] for outcome in OUTCOMES},
        days=tuple(
            DayOfRows(
                day=day,
                read=by_day[day]["read"],
                applied=by_day[day]["applied"],
                quarantined=by_day[day]["quarantined"],
            )
            for day in days
        ),
        counted_since=runs[-1].at if is_cut else None,
    )


def schema_changes(
    before: Mapping[str, str], now: Mapping[str, str], *, agreed: Mapping[str, str], reported: Mapping[str, datetime]
) -> tuple[SchemaChange, ...]:
    """Columns that are not as they were.

    Args:
        before: columns and types then.
        now: columns and types of the table.
        agreed: columns that the contract names.
        reported: when a run first reported a column that the contract does not name.
    """
    found = []
    for name in (*now, *(name for name in before if name not in now)):
        was, became = before.get(name, ""), now.get(name, "")
        if was == became:
            continue
        found.append(
            SchemaChange(
                column=name,
                what="retyped" if was and became else ("added" if became else "gone"),
                before=was,
                after=became,
                is_named=name in agreed,
                first_seen=reported.get(name),
            )
        )
    return tuple(found)


def _figure(figures: Mapping[str, Any], name: str) -> int | None:
    value = figures.get(name)
    return value if isinstance(value, int) else None
