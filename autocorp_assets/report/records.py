"""What Dagster's records say of a period: runs of tables, results of checks, failures. Each reading has a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.completeness import COMPLETE_UNTIL, Applied
from autocorp_assets.checks.results import LastEvaluation, last_evaluated
from autocorp_assets.contracts import TABLES
from autocorp_assets.operations.sync import root_cause, step_errors

RUNS_READ = 2_000
"""Of one table: a table that changes all the time has 1,440 runs a day at most, and reading 1,000 takes a second."""
PAGE = 500
FAILED_RUNS_READ = 20
STEPS_OF_TABLES = ("replicate_database", "transfer_", "curate")
"""Steps whose failure leaves tables behind."""


@dataclass(frozen=True, kw_only=True)
class TableRun:
    """A materialisation of a curated table."""

    at: datetime
    metadata: Mapping[str, Any]

    def number(self, name: str) -> int:
        value = self.metadata.get(name, 0)
        return int(value) if isinstance(value, int | float) else 0

    @property
    def newest_change(self) -> datetime | None:
        lag = self.metadata.get("lag_seconds")
        return self.at - timedelta(seconds=lag) if isinstance(lag, int | float) else None

    @property
    def applied(self) -> Applied | None:
        return Applied(at=self.at, newest_change=self.newest_change) if self.newest_change else None

    @property
    def complete_until(self) -> datetime | None:
        """Of a heartbeat, which is no run."""
        until = self.metadata.get(COMPLETE_UNTIL)
        return datetime.fromtimestamp(until, UTC) if isinstance(until, int | float) else None


@dataclass(frozen=True, kw_only=True)
class FailedRun:
    """A run that left a table behind."""

    at: datetime
    run_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Records:
    """The records since a time; there are none without an instance."""

    instance: dg.DagsterInstance | None
    since: datetime

    def last_evaluated(self, key: dg.AssetCheckKey) -> LastEvaluation | None:
        """What a check last came to, also before the period."""
        return last_evaluated(self.instance, key) if self.instance else None

    def materializations(self, key: dg.AssetKey, *, limit: int) -> list[TableRun]:
        """Of an asset, newest first; heartbeats count for nothing but the newest of all, which may be one."""
        if self.instance is None:
            return []
        wanted = dg.AssetRecordsFilter(asset_key=key, after_timestamp=self.since.timestamp())
        found: list[TableRun] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self.instance.fetch_materializations(wanted, limit=min(PAGE, limit - len(found)), cursor=cursor)
            for record in page.records:
                event = record.asset_materialization
                if event is None or (found and COMPLETE_UNTIL in event.metadata):
                    continue
                metadata = {name: value.value for name, value in event.metadata.items()}
                found.append(TableRun(at=datetime.fromtimestamp(record.timestamp, UTC), metadata=metadata))
            cursor = page.cursor
            if not page.has_more or not page.records:
                break
        return found

    @cached_property
    def failures(self) -> dict[str, FailedRun]:
        """By table, the newest failure of the period's newest failed runs."""
        if self.instance is None:
            return {}
        failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], created_after=self.since)
        found: dict[str, FailedRun] = {}
        for record in self.instance.get_run_records(failed, limit=FAILED_RUNS_READ):
            ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.create_timestamp
            for table, reason in self._reasons(record.dagster_run):
                told = FailedRun(at=ended, run_id=record.dagster_run.run_id, reason=reason)
                found.setdefault(table, told)
        return found

    def _reasons(self, run: dg.DagsterRun) -> list[tuple[str, str]]:
        """(table, reason) of each table that a failed run left behind."""
        if self.instance is None:
            return []
        kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
        events = [log.dagster_event for log in self.instance.all_logs(run.run_id, of_type=kinds) if log.dagster_event]
        steps = [event for event in events if event.is_step_failure]
        if steps:
            of_tables = [event for event in steps if (event.step_key or "").startswith(STEPS_OF_TABLES)]
            return [one for event in of_tables for one in step_errors(event, list(TABLES.values()))]
        # A resource that could not be made, or a process that died: no step ever told anything.
        selected = run.asset_selection or frozenset()
        ended = next((event for event in events if event.is_job_failure), None)
        # A run that was failed from outside (its process died, or it could not be started) has a message alone.
        error = getattr(ended.event_specific_data, "error", None) if ended else None
        reason = root_cause(error) if error else (ended.message if ended else None) or "the run ended without a word"
        return [(name, reason) for name in TABLES if curated_key(name) in selected]
