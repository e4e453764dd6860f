"""What the report says, as plain data. Times are UTC; nothing here is personal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class State(StrEnum):
    """How something stands; the greater the place, the more it matters."""

    GOOD = "good"
    UNKNOWN = "unknown"
    """It has not been looked at, or too long ago."""
    WARNING = "warning"
    ERROR = "error"

    @property
    def weight(self) -> int:
        return list(State).index(self)


def worst(states: list[State]) -> State:
    """The one that matters most; good without any."""
    return max(states, key=lambda state: state.weight, default=State.GOOD)


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How far behind its sources a table is."""

    state: State
    as_of: datetime | None
    """What its sources said until then is in the table; None if that was never shown."""
    age_seconds: float | None
    last_change_at: datetime | None
    """When the source committed the newest change that the table has applied in the period."""
    last_run_at: datetime | None
    """When a run last brought the table up to date with raw, within the period."""
    pending_files: int
    pending_since: datetime | None
    warn_minutes: int
    fail_minutes: int
    why: str
    """A sentence; empty while the table is fresh."""


@dataclass(frozen=True, kw_only=True)
class DayOfRows:
    """Rows that runs of one day read and applied."""

    day: date
    read: int
    applied: int
    quarantined: int


@dataclass(frozen=True, kw_only=True)
class RowsOfPeriod:
    """What became of the rows that the period's runs read, and the same by day."""

    runs: int
    """Runs that read a row."""
    read: int
    applied: int
    unchanged: int
    superseded: int
    duplicate: int
    quarantined: int
    repaired: int
    days: tuple[DayOfRows, ...]
    """All days of the period, oldest first."""
    counted_since: datetime | None = None
    """There were more runs than are read: counts begin here. None when they are whole."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A check and what it last came to."""

    asset: str
    name: str
    title: str
    answers: str
    """`complete` or `correct`."""
    runs: str
    """When it runs, in words."""
    state: State
    at: datetime | None
    """When it was last judged; None if never."""
    told: str
    """What the result says; empty if it says nothing."""
    what_to_do: str


@dataclass(frozen=True, kw_only=True)
class QuarantineReason:
    """Rows that are kept out for one reason. A row with two reasons is in two of them."""

    reason: str
    rows: int
    """Now."""
    files: int
    by_day: tuple[int, ...]
    """Rows first kept out on each day of the period, oldest first, whatever became of them since."""


@dataclass(frozen=True, kw_only=True)
class QuarantineNow:
    """A table's quarantine."""

    rows: int = 0
    reasons: tuple[QuarantineReason, ...] = ()
    """Most rows first; also those of which no row is left, if there was one in the period."""


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """What the last comparison of a table with its source came to."""

    state: State
    at: datetime
    told: str
    rows_source: int | None
    rows_lake: int | None
    differences: int | None
    """None when nothing was compared."""


@dataclass(frozen=True, kw_only=True)
class SchemaChange:
    """A column that is not as it was at the beginning of the period."""

    column: str
    what: str
    """`added`, `retyped` or `gone`."""
    before: str
    after: str
    is_named: bool
    """Whether the contract names the column."""
    first_seen: datetime | None
    """Of one that the contract does not name: the first run of the period that reported it."""


@dataclass(frozen=True, kw_only=True)
class RunFailure:
    """Why the last run left a table behind; None was good since."""

    at: datetime
    run_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """All that the report says of one table."""

    table: str
    description: str
    format: str
    exists: bool
    problem: str
    """Why the table cannot be read; empty if it can, or is not there."""
    rows: int | None
    """None when it is not there or cannot be read."""
    committed_at: datetime | None
    freshness: Freshness
    taken_in: RowsOfPeriod
    checks: tuple[CheckResult, ...]
    quarantine: QuarantineNow
    reconciliation: Reconciliation | None
    schema_changes: tuple[SchemaChange, ...]
    schema_compared_with: datetime | None
    """The time whose columns today's are compared with; None: with the contract's, the table being younger."""
    failure: RunFailure | None


@dataclass(frozen=True, kw_only=True)
class ReplicationReport:
    """Where replication stands."""

    running: bool
    should_run: bool
    summary: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole report."""

    generated_at: datetime
    days: tuple[date, ...]
    """Of the period, oldest first; the last is today."""
    deployment: str
    replication: ReplicationReport | None
    tables: tuple[TableReport, ...]
    other_checks: tuple[CheckResult, ...] = field(default=())
    """Of assets that are no table of a contract."""

    @property
    def is_empty(self) -> bool:
        """Nothing was ever brought into the lake."""
        return not any(table.exists or table.freshness.pending_files for table in self.tables)
