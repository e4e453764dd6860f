"""What DMS says of a task and of its tables, and what follows from it. Pure.

Statuses, stop reasons and start types are those of the API reference (ReplicationTask, TableStatistics and
StartReplicationTask of `botocore/data/dms`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.ports.replication import TableCounters

SOURCE_SCHEMA = "public"
STOP_PREFIX = "Stop Reason "
CONTINUOUS = "full-load-and-cdc"
SETTLING = ("creating", "starting", "stopping", "modifying", "testing", "moving")
"""Statuses that pass by themselves."""


class StartType(StrEnum):
    FIRST = "start-replication"
    RESUME = "resume-processing"
    RELOAD = "reload-target"


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a stop means for whoever has to do something about it."""

    text: str
    remedy: str = ""
    restart_mends: bool = False
    on_purpose: bool = False
    """Somebody asked for it: nobody else may undo it."""


RESUME_BY_HAND = "materialise the raw tables, or resume the task in the console"
MEANINGS: Mapping[str, Meaning] = {
    "NORMAL": Meaning(text="somebody stopped it", remedy=RESUME_BY_HAND, on_purpose=True),
    "STOPPED_AT_SERVER_TIME": Meaning(
        text="it has come to the server time at which it was told to stop", remedy=RESUME_BY_HAND, on_purpose=True
    ),
    "STOPPED_AT_COMMIT_TIME": Meaning(
        text="it has come to the commit time at which it was told to stop", remedy=RESUME_BY_HAND, on_purpose=True
    ),
    "STOPPED_AFTER_DDL_APPLY": Meaning(
        text="it was told to stop after a change of a table's columns", remedy=RESUME_BY_HAND, on_purpose=True
    ),
    "STOPPED_AFTER_FULL_LOAD": Meaning(
        text="its settings stop it after the full load",
        remedy=f"set StopTaskCachedChangesNotApplied to false in the task's settings, then {RESUME_BY_HAND}",
    ),
    "STOPPED_AFTER_CACHED_EVENTS": Meaning(
        text="its settings stop it after the full load",
        remedy=f"set StopTaskCachedChangesApplied to false in the task's settings, then {RESUME_BY_HAND}",
    ),
    "FULL_LOAD_ONLY_FINISHED": Meaning(
        text="it only does a full load, and has done it",
        remedy=f"make it a task of migration type {CONTINUOUS}: changes of the source do not arrive",
    ),
    "STOPPED_DUE_TO_LOW_MEMORY": Meaning(
        text="the replication instance has run out of memory",
        remedy=f"give it a larger instance class (or MaxFullLoadSubTasks a lower value), then {RESUME_BY_HAND}",
    ),
    "STOPPED_DUE_TO_LOW_DISK": Meaning(
        text="the replication instance has run out of disk",
        remedy=f"give the replication instance more storage (AllocatedStorage), then {RESUME_BY_HAND}",
    ),
    "EXPRESS_LICENSE_LIMITS_REACHED": Meaning(
        text="the licence's limit is reached", remedy="change the replication instance's engine version"
    ),
    "FATAL_ERROR": Meaning(
        text="an error ended it that a restart does not mend",
        remedy="read the task's log in CloudWatch (log group dms-tasks-<instance>), mend the cause, then "
        f"{RESUME_BY_HAND}; where its replication slot is lost, load all tables anew: materialise with `reload: true`",
    ),
    "RECOVERABLE_ERROR": Meaning(text="an error interrupted it that may have passed", restart_mends=True),
    "RECONFIGURATION_RESTART": Meaning(text="DMS restarts it with another configuration", restart_mends=True),
    "RECYCLE_TASK": Meaning(text="DMS restarts it", restart_mends=True),
}
NOT_SAID = Meaning(text="DMS does not say why", restart_mends=True)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A replication task as DescribeReplicationTasks gives it."""

    identifier: str
    arn: str
    status: str
    migration_type: str
    instance_arn: str
    stop_reason: str | None
    """Without its prefix; None when there is none."""
    failure: str | None
    has_run: bool
    has_loaded: bool
    """Whether its full load ever came to an end, or it has a place in the log to go on from."""
    load_is_over: bool
    tables_in_error: int
    asked_at: datetime
    """By AWS's clock."""

    @classmethod
    def of(cls, description: Mapping[str, Any], *, asked_at: datetime) -> Self:
        stats = description.get("ReplicationTaskStats") or {}
        reason = (description.get("StopReason") or "").removeprefix(STOP_PREFIX).split()
        load_is_over = stats.get("FullLoadFinishDate") is not None
        return cls(
            identifier=description["ReplicationTaskIdentifier"],
            arn=description["ReplicationTaskArn"],
            status=description["Status"],
            migration_type=description.get("MigrationType", CONTINUOUS),
            instance_arn=description.get("ReplicationInstanceArn", ""),
            stop_reason=reason[0] if reason else None,
            failure=description.get("LastFailureMessage") or None,
            has_run=any(
                (description.get("ReplicationTaskStartDate"), stats.get("FreshStartDate"), stats.get("StartDate"))
            ),
            has_loaded=load_is_over or bool(description.get("RecoveryCheckpoint")),
            load_is_over=load_is_over,
            tables_in_error=stats.get("TablesErrored") or 0,
            asked_at=asked_at,
        )

    @property
    def is_running(self) -> bool:
        return self.status == "running"

    @property
    def is_settling(self) -> bool:
        return self.status in SETTLING

    @property
    def meaning(self) -> Meaning:
        """Of its having stopped or failed."""
        if self.stop_reason is None:
            return NOT_SAID
        unknown = Meaning(text=f"stop reason {self.stop_reason}", remedy="read the task's log in CloudWatch")
        return MEANINGS.get(self.stop_reason, unknown)

    @property
    def summary(self) -> str:
        """One line on where it stands, and why it does not run."""
        if self.is_running or self.is_settling:
            return f"DMS task {self.identifier} is {self.status}"
        if not self.has_run:
            return f"DMS task {self.identifier} is {self.status} and was never started: materialise the raw tables"
        if self.status not in {"stopped", "failed", "ready"}:
            return f"DMS task {self.identifier} is {self.status}"
        told = "; ".join(filter(None, (self.meaning.text, self.failure, self.meaning.remedy)))
        reason = "" if self.stop_reason is None else f" ({self.stop_reason})"
        return f"DMS task {self.identifier} is {self.status}{reason}: {told}"


def start_type(task: Task) -> StartType | None:
    """With which a task that does not run may be started; None when it may not be.

    `start-replication` is the only legal type of a first start and legal of no other for a task that has run.
    A task that failed before its full load was over has no place in the log from which to go on.
    """
    if task.migration_type != CONTINUOUS or task.status not in {"ready", "stopped", "failed"}:
        return None
    if not task.has_run:
        return StartType.FIRST
    return StartType.RESUME if task.has_loaded else StartType.RELOAD


class TableState(StrEnum):
    MISSING = "Table does not exist"
    BEFORE_LOAD = "Before load"
    LOADING = "Full load"
    COMPLETED = "Table completed"
    CANCELLED = "Table cancelled"
    ERROR = "Table error"
    RELOADING = "Table is being reloaded"


@dataclass(frozen=True, kw_only=True)
class LoadTime:
    """Which load of a table: no two begin and end at the same time."""

    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class TableStatistics:
    """One table as DescribeTableStatistics gives it."""

    table: str
    state: str
    counters: TableCounters
    load: LoadTime | None
    """None while there is no complete one, or where DMS does not say when it was."""
    updated_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        start, end = row.get("FullLoadStartTime"), row.get("FullLoadEndTime")
        return cls(
            table=row["TableName"],
            state=row.get("TableState", ""),
            counters=TableCounters(
                state=row.get("TableState", ""),
                full_load_rows=row.get("FullLoadRows", 0),
                inserts=row.get("Inserts", 0),
                updates=row.get("Updates", 0),
                deletes=row.get("Deletes", 0),
                ddls=row.get("Ddls", 0),
                errors=row.get("FullLoadErrorRows", 0),
            ),
            load=None if start is None else LoadTime(start=start, end=end or start),
            updated_at=row.get("LastUpdateTime"),
        )

    @property
    def is_loaded(self) -> bool:
        return self.state == TableState.COMPLETED

    @property
    def is_in_error(self) -> bool:
        return self.state in {TableState.ERROR, TableState.CANCELLED}


def by_table(rows: Iterable[Mapping[str, Any]]) -> dict[str, TableStatistics]:
    """Statistics of the contracts' tables; those of others, which a wide mapping may take in, are left out."""
    return {
        row["TableName"]: TableStatistics.of(row)
        for row in rows
        if row.get("SchemaName") == SOURCE_SCHEMA and row["TableName"] in TABLES
    }


def load_progress(statistics: Mapping[str, TableStatistics]) -> str:
    """Progress of the full load, table by table."""
    told = [
        f"{name} {one.counters.full_load_rows:,} rows ({one.state.lower()})"
        for name, one in statistics.items()
        if not one.is_loaded
    ]
    loaded = sum(one.is_loaded for one in statistics.values())
    return f"{loaded} of {len(TABLES)} tables loaded" + (f"; {', '.join(told)}" if told else "")
