"""Single tables loaded anew, while the changes of all others go on.

The stream ends, the tables are staged at a snapshot, the stream goes on to exactly the snapshot's
position, and there the load is committed: what is in raw before it is older than the load, what comes
after it is newer, whatever happens to the table meanwhile. What is in the way, such as a transaction
that stays open, costs the stream some seconds and not more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.replicator import full_load, source
from autocorp_assets.local.replicator.checkpoint import Checkpoint, ReplicationError
from autocorp_assets.local.replicator.full_load import Progress, StagedLoad
from autocorp_assets.local.replicator.raw_zone import RawZone
from autocorp_assets.local.replicator.requests import ReloadRequest, pending_requests

_PATIENCE_SECONDS = 5
_AGAIN_SECONDS = 30
_CONNECTION_LOST = ("08", "57P")
"""Beginnings of SQLSTATE: connection exception, shutdown by an operator."""


class _NotYetError(Exception):
    """Transactions are open on the source, and changes of other tables do not wait for them."""


class Reloads:
    """The requests of a state folder, on their way to a commit."""

    def __init__(self, *, dsn: str, zone: RawZone, log: Callable[[str], None]) -> None:
        self._dsn = dsn
        self._zone = zone
        self._log = log
        self._serving: Sequence[ReloadRequest] = ()
        self._again_at = 0.0
        self.delay: str | None = None
        """Why requests that could be served have to wait."""

    @property
    def is_due(self) -> bool:
        """Whether something is asked for that is not on its way."""
        return not self._serving and time.monotonic() >= self._again_at and bool(self.pending())

    def pending(self) -> Sequence[ReloadRequest]:
        return pending_requests(self._zone.state)

    def begin(self, connection: psycopg.Connection) -> Sequence[str]:
        """The tables to stage now; what asks for others is set aside."""
        self._serving = ()
        if not self.is_due:
            return ()
        gone = source.missing(connection)
        for request in self.pending():
            if request.table not in TABLES:
                self._set_aside(request, f"there is no table {request.table}; there are {', '.join(TABLES)}")
            elif request.table in gone:
                self._set_aside(
                    request,
                    f"the source has no table public.{request.table}: nothing was loaded, and the lake keeps its rows",
                )
        self._serving = self.pending()
        asked = {request.table for request in self._serving}
        return [table for table in TABLES if table in asked]

    def stage(
        self, tables: Sequence[str], checkpoint: Checkpoint, *, on_progress: Progress, on_wait: Callable[[], None]
    ) -> StagedLoad | None:
        """The tables, staged at a position behind the checkpoint; None when that cannot be now, or ever.

        Raises:
            psycopg.OperationalError: the source is away; the requests stay.
        """
        patient_until = time.monotonic() + _PATIENCE_SECONDS

        def wait() -> None:
            on_wait()
            if time.monotonic() > patient_until:
                raise _NotYetError

        try:
            staged = full_load.stage(
                dsn=self._dsn,
                zone=self._zone,
                tables=tables,
                slot=None,
                load_files=checkpoint.load_files,
                on_progress=on_progress,
                on_wait=wait,
            )
        except (_NotYetError, psycopg.errors.LockNotAvailable):
            self._put_off(tables)
        except (ReplicationError, psycopg.Error) as error:
            if _is_away(error):
                raise
            for request in self._serving:
                self._set_aside(request, str(error).strip())
            self._serving = ()
        else:
            self.delay = None
            return staged
        self._zone.recover(())
        return None

    def commit(self, staged: StagedLoad, checkpoint: Checkpoint) -> Checkpoint:
        """Commit the load after a checkpoint that holds exactly the changes before it; give the next one."""
        loaded = staged.committed_after(replace(checkpoint, previous_lsn=checkpoint.lsn), self._zone)
        self._zone.commit(loaded)
        self._log(f"generation {loaded.generation} of {', '.join(staged.rows)}: {sum(staged.rows.values())} rows")
        self.settle(self._serving)
        return replace(loaded, renames=())

    def settle(self, served: Sequence[ReloadRequest]) -> None:
        for request in served:
            request.settle()
        self._serving = ()

    def _put_off(self, tables: Sequence[str]) -> None:
        self._serving = ()
        self._again_at = time.monotonic() + _AGAIN_SECONDS
        self.delay = (
            f"the load of {', '.join(tables)} waits until the transactions that are open on the source have ended"
        )
        self._log(self.delay)

    def _set_aside(self, request: ReloadRequest, reason: str) -> None:
        self._log(f"{request.table} is not loaded anew: {reason}")
        request.set_aside(reason)


def _is_away(error: Exception) -> bool:
    """Whether the source is away; else it refused, and would again."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_CONNECTION_LOST)
