"""Replication by the replicator of this machine, whether it runs by itself or only for a moment."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.replication import CaughtUp, ReplicationError, ReplicationState
from autocorp_assets.resources.ports.source import RetainedLog
from autocorp_assets.settings import Settings

POLL_SECONDS = 0.2
PROGRESS_SECONDS = 5.0
HANGS_AFTER_SECONDS = 60
"""It says every second how it stands."""


@dataclass(frozen=True, kw_only=True)
class LocalReplication:
    """Replication: asks the running replicator through its status, else runs one pass in this process."""

    settings: Settings

    def state(self) -> ReplicationState:
        from autocorp_assets.local.replicator.status import Phase, read_status

        status = read_status(self.settings.replication_folder)
        if status is None:
            return ReplicationState(running=False, should_run=False, summary="nothing was ever replicated")
        summary = f"{status.phase}, {status.changes:,} changes written"
        if status.error:
            summary += f"; {status.error}"
        silent = seconds_since(status.updated_at) if status.is_alive else None
        hangs = silent is not None and silent > HANGS_AFTER_SECONDS
        return ReplicationState(
            running=status.is_alive,
            # Whoever stops it on purpose leaves it `stopped`: anything else without a process has died.
            should_run=status.phase is not Phase.STOPPED,
            summary=summary,
            silent_seconds=silent,
            is_following=status.is_alive and status.phase is Phase.STREAMING,
            remedy=(
                f"Its process {status.pid} hangs: `kill -9 {status.pid}` ends it, and a running `autocorp dev` starts "
                "another; without that, start it with `autocorp dev`"
                if hangs
                else ""
            ),
        )

    def retained_log(self) -> RetainedLog | None:
        """Never starts the embedded source: while that is stopped its log does not grow."""
        import psycopg

        from autocorp_assets.local.replicator.checkpoint import ReplicationError as ReplicatorError
        from autocorp_assets.local.replicator.source import connect, slot, slot_log_limit
        from autocorp_assets.local.source.connection import running_dsn

        if (dsn := running_dsn(self.settings)) is None:
            return None
        try:
            with connect(dsn) as connection:
                found = slot(connection, self.settings.slot)
                limit = slot_log_limit(connection)
        except (psycopg.Error, ReplicatorError):
            return None
        if found is None:
            return None
        return RetainedLog(
            slot=self.settings.slot, bytes=found.retained_bytes, limit_bytes=limit, is_lost=found.is_lost
        )

    def catch_up(
        self,
        *,
        deadline_seconds: float,
        on_progress: Progress,
        may_start: bool = True,  # noqa: ARG002 a pass in this process starts no service
    ) -> CaughtUp:
        from autocorp_assets.local.replicator.source import committed_lsn, connect, lsn_text

        started = time.monotonic()
        with self._source() as dsn:
            with connect(dsn) as connection:
                target = committed_lsn(connection)
            if self._is_running():
                self._wait(target, deadline=started + deadline_seconds, on_progress=on_progress)
            else:
                self._one_pass(dsn, deadline_seconds=deadline_seconds, on_progress=on_progress)
        return CaughtUp(position=lsn_text(self._position() or target), seconds=time.monotonic() - started)

    def reload(self, tables: Sequence[str], *, deadline_seconds: float, on_progress: Progress) -> Mapping[str, str]:
        """Asks with durable requests, which the next replicator serves if this call does not live to see it."""
        from autocorp_assets.local.replicator.requests import request_reload

        deadline = time.monotonic() + deadline_seconds
        requests = [request_reload(self.settings.replication_folder, table) for table in tables]
        with self._source() as dsn:
            while waiting := [request.table for request in requests if request.is_pending]:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    message = (
                        f"{', '.join(waiting)}: not loaded anew in time: {self.state().summary}. The request is kept, "
                        f"and served when that has passed. The log is below {self.settings.logs_folder}."
                    )
                    raise ReplicationError(message)
                if self._is_running():
                    time.sleep(POLL_SECONDS)
                else:
                    with suppress(TimeoutError):
                        self._one_pass(dsn, deadline_seconds=remaining, on_progress=on_progress)
        return {request.table: answer for request in requests if (answer := request.take_answer())}

    @contextmanager
    def _source(self) -> Generator[str]:
        """The source's connection string, checked where nobody replicates from it yet.

        Raises:
            ReplicationError: in place of whatever the source or the replicator raised.
        """
        import psycopg

        from autocorp_assets.local.replicator.checkpoint import ReplicationError as ReplicatorError
        from autocorp_assets.local.replicator.source import PUBLICATION
        from autocorp_assets.local.source.connection import SourceError, open_source
        from autocorp_assets.local.source.preflight import require_ready

        try:
            with open_source(self.settings) as source:
                if not source.is_embedded and not self._is_running():
                    require_ready(source.dsn, TABLES.values(), slot=self.settings.slot, publication=PUBLICATION)
                yield source.dsn
        except (ReplicatorError, SourceError, TimeoutError, psycopg.Error) as error:
            raise ReplicationError(str(error).strip()) from error

    def _is_running(self) -> bool:
        from autocorp_assets.local.replicator.status import read_status

        status = read_status(self.settings.replication_folder)
        return status is not None and status.is_alive

    def _position(self) -> int | None:
        from autocorp_assets.local.replicator.status import position

        return position(self.settings.replication_folder)

    def _one_pass(self, dsn: str, *, deadline_seconds: float, on_progress: Progress) -> None:
        from autocorp_assets.local.replicator.service import replicate

        replicate(
            dsn=dsn,
            lake=self.settings.lake_folder,
            state=self.settings.replication_folder,
            until_caught_up=True,
            deadline_seconds=deadline_seconds,
            on_progress=on_progress,
            slot=self.settings.slot,
        )

    def _wait(self, target: int, *, deadline: float, on_progress: Progress) -> None:
        from autocorp_assets.local.replicator.source import lsn_text

        told = time.monotonic()
        while (self._position() or 0) < target:
            now = time.monotonic()
            if now >= deadline or not self._is_running():
                why = "in time" if now >= deadline else "before it ended"
                message = (
                    f"the replicator did not get to position {lsn_text(target)} {why}: {self.state().summary}. "
                    f"Its log is below {self.settings.logs_folder}; once it runs again, materialise again."
                )
                raise ReplicationError(message)
            if now - told >= PROGRESS_SECONDS:
                on_progress(f"waiting for the replicator to reach {lsn_text(target)}: {self.state().summary}")
                told = now
            time.sleep(POLL_SECONDS)


def seconds_since(timestamp: str) -> float | None:
    if not timestamp:
        return None
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds())
