"""Reports as they are read, made by hand: each is an ordinary good one but for what it is given."""

from datetime import UTC, datetime, timedelta
from typing import Any

from autocorp_assets.report.model import (
    CheckResult,
    DayOfRows,
    Freshness,
    QuarantineNow,
    QuarantineReason,
    Reconciliation,
    ReplicationReport,
    Report,
    RowsOfPeriod,
    State,
    TableReport,
)

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
DAYS = tuple((NOW - timedelta(days=ago)).date() for ago in (2, 1, 0))


def freshness(**changes: Any) -> Freshness:
    ordinary: dict[str, Any] = {
        "state": State.GOOD,
        "as_of": NOW - timedelta(minutes=3),
        "age_seconds": 180.0,
        "last_change_at": NOW - timedelta(minutes=4),
        "last_run_at": NOW - timedelta(minutes=3),
        "pending_files": 0,
        "pending_since": None,
        "warn_minutes": 10,
        "fail_minutes": 15,
        "why": "",
    }
    return Freshness(**{**ordinary, **changes})


def rows() -> RowsOfPeriod:
    days = tuple(DayOfRows(day=day, read=at * 10, applied=at * 10, quarantined=0) for at, day in enumerate(DAYS))
    return RowsOfPeriod(
        runs=2, read=30, applied=30, unchanged=0, superseded=0, duplicate=0, quarantined=0, repaired=1, days=days
    )


def check(**changes: Any) -> CheckResult:
    ordinary: dict[str, Any] = {
        "asset": "curated/auto_parts",
        "name": "rules",
        "title": "The rows keep the table's rules",
        "answers": "correct",
        "runs": "every hour",
        "state": State.GOOD,
        "at": NOW - timedelta(minutes=20),
        "told": "400 rows keep every rule",
        "what_to_do": "Correct the rows; see `autocorp trace`.",
    }
    return CheckResult(**{**ordinary, **changes})


def kept_out(*reasons: tuple[str, int]) -> QuarantineNow:
    return QuarantineNow(
        rows=sum(count for _, count in reasons),
        reasons=tuple(
            QuarantineReason(reason=reason, rows=count, files=1, by_day=(0, 0, count)) for reason, count in reasons
        ),
    )


def reconciled(**changes: Any) -> Reconciliation:
    ordinary: dict[str, Any] = {
        "state": State.GOOD,
        "at": NOW - timedelta(minutes=43),
        "told": "400 rows of the source, 400 of the lake: all equal",
        "rows_source": 400,
        "rows_lake": 400,
        "differences": 0,
    }
    return Reconciliation(**{**ordinary, **changes})


def table(**changes: Any) -> TableReport:
    ordinary: dict[str, Any] = {
        "table": "auto_parts",
        "description": "Parts inventory.",
        "format": "delta",
        "exists": True,
        "problem": "",
        "rows": 400,
        "committed_at": NOW - timedelta(minutes=3),
        "freshness": freshness(),
        "taken_in": rows(),
        "checks": (check(),),
        "quarantine": QuarantineNow(),
        "reconciliation": reconciled(),
        "schema_changes": (),
        "schema_compared_with": NOW - timedelta(days=2),
        "failure": None,
    }
    return TableReport(**{**ordinary, **changes})


def report(*tables: TableReport, **changes: Any) -> Report:
    ordinary: dict[str, Any] = {
        "generated_at": NOW,
        "days": DAYS,
        "deployment": "local",
        "replication": ReplicationReport(running=True, should_run=True, summary="streaming, 12 changes written"),
        "tables": tables or (table(),),
    }
    return Report(**{**ordinary, **changes})
