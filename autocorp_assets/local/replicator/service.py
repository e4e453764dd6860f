"""The replicator: loads what has to be loaded, follows the source, and comes back when it was away."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg

from autocorp_assets.local import durable
from autocorp_assets.local.replicator import full_load, source
from autocorp_assets.local.replicator.capture import Capture
from autocorp_assets.local.replicator.checkpoint import Checkpoint, ReplicationError
from autocorp_assets.local.replicator.full_load import StagedLoad
from autocorp_assets.local.replicator.raw_zone import STAGING, RawFileMissingError, RawZone
from autocorp_assets.local.replicator.reloads import Reloads
from autocorp_assets.local.replicator.status import Phase, StatusFile, exclusive
from autocorp_assets.local.replicator.stream import ReplicationStream
from autocorp_assets.local.replicator.trust import reason_to_load

DEFAULT_SLOT = "autocorp_lake"
_MONITOR_SECONDS = 10
_HOLDER_SECONDS = 60


class _StoppedError(Exception):
    """The caller asked to stop while there was nothing to commit."""


class _ReloadError(Exception):
    """Changes may have been missed: only a load of all tables makes the lake equal to the source again."""


class _TablesRequestedError(Exception):
    """Tables are to be loaded anew: the stream ends, and goes on once they are staged."""


def replicate(
    *,
    dsn: str,
    lake: Path,
    state: Path,
    until_caught_up: bool,
    deadline_seconds: float | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[str], None] | None = None,
    flush_seconds: float = 1.0,
    slot: str = DEFAULT_SLOT,
) -> Checkpoint:
    """Keep the raw zone equal to the source's history.

    Args:
        dsn: libpq connection string of the source.
        lake: root of the lake, a local folder.
        state: folder of checkpoint, lock and status; one replicator at a time.
        until_caught_up: return once raw has passed the position that the source has now.
        deadline_seconds: how long that may take; None is for ever.
        stop: when set, what has arrived is committed and the function returns.
        on_progress: told in words what happens.
        flush_seconds: how long a change may wait for others to share a file with.
        slot: replication slot; each state folder that reads from one source needs its own.

    Returns:
        The last checkpoint.

    Raises:
        ReplicationError: somebody has to act first; the text says what to do.
        TimeoutError: the deadline has passed; what was committed stays.
        psycopg.Error: the source refused for a reason that waiting does not mend.
    """
    try:
        durable.make_folder(state.resolve())
        staging = lake.resolve() / STAGING
        durable.make_folder(staging)
        with exclusive(state), exclusive(staging):
            replicator = _Replicator(
                dsn=dsn,
                zone=RawZone(lake=lake.resolve(), state=state),
                stop=stop or threading.Event(),
                log=on_progress or (lambda _: None),
                flush_seconds=flush_seconds,
                deadline=None if deadline_seconds is None else time.monotonic() + deadline_seconds,
                slot=slot,
            )
            return replicator.run(until_caught_up=until_caught_up)
    except TimeoutError:  # an OSError too
        raise
    except OSError as error:
        msg = (
            f"raw cannot be written ({error}): make room on the disk of {lake} and {state}. Nothing is lost: the "
            "source keeps its changes meanwhile, and the next start goes on from the last that is in raw"
        )
        raise ReplicationError(msg) from error


class _Replicator:
    def __init__(
        self,
        *,
        dsn: str,
        zone: RawZone,
        stop: threading.Event,
        log: Callable[[str], None],
        flush_seconds: float,
        deadline: float | None,
        slot: str,
    ) -> None:
        self._dsn = dsn
        self._zone = zone
        self._stop = stop
        self._log = log
        self._flush_seconds = flush_seconds
        self._deadline = deadline
        self._slot = slot
        self._status = StatusFile(zone.state)
        self._reloads = Reloads(dsn=dsn, zone=zone, log=log)
        self._until: int | None = None
        self._reload_reason: str | None = None
        self._monitored = 0.0
        self._held_since: float | None = None
        self._failures = 0

    def run(self, *, until_caught_up: bool) -> Checkpoint:
        self._status.write()
        try:
            checkpoint = self._run(until_caught_up=until_caught_up)
        except BaseException as error:
            with contextlib.suppress(OSError):  # of a full disk, too, it is the error that counts
                self._status.update(phase=Phase.FAILED, error=f"{type(error).__name__}: {error}")
            raise
        self._status.update(
            phase=Phase.STOPPED, lsn=checkpoint.lsn or None, generation=checkpoint.generation, error=None
        )
        return checkpoint

    def _run(self, *, until_caught_up: bool) -> Checkpoint:
        while not self._stop.is_set():
            try:
                with contextlib.suppress(_StoppedError):
                    self._session(until_caught_up=until_caught_up)
                break
            except _TablesRequestedError:
                continue
            except (_ReloadError, psycopg.errors.UndefinedObject) as error:
                self._reload_reason = str(error).splitlines()[0]
                self._check_deadline()
                self._stop.wait(1)  # what breaks at once, each time, does not load at once, each time
            except psycopg.OperationalError as error:
                self._wait(error)
        return self._checkpoint()

    def _session(self, *, until_caught_up: bool) -> None:
        """One connection's life: prepare, load what has to be, then stream."""
        with source.connect(self._dsn) as connection:
            source.require_logical(connection)
            if until_caught_up and self._until is None:
                self._until = source.committed_lsn(connection)
            checkpoint = self._prepare(connection)
            staged = self._stage_requested(connection, checkpoint)
            if staged is None and self._until is not None and checkpoint.lsn >= self._until:
                return
            # Not the connection's own context, which would want to commit in the middle of the stream.
            with contextlib.closing(source.connect(self._dsn, replication=True)) as replication:
                stream = ReplicationStream(replication, slot=self._slot, lsn=checkpoint.lsn)
                self._held_since = None
                self._log(f"streaming from {source.lsn_text(checkpoint.lsn)}")
                capture = Capture(
                    stream=stream,
                    zone=self._zone,
                    checkpoint=checkpoint,
                    lookup=partial(source.present_values, connection),
                    flush_seconds=self._flush_seconds,
                    on_tick=partial(self._tick, connection),
                    log=self._log,
                )
                if staged is not None:
                    reached = capture.run(until=staged.position, stop=self._stop)
                    if reached.lsn < staged.position:
                        return
                    capture.go_on_from(self._reloads.commit(staged, reached))
                capture.run(until=self._until, stop=self._stop)

    def _prepare(self, connection: psycopg.Connection) -> Checkpoint:
        """The checkpoint to stream from; made by a full load when there is none that can be trusted."""
        checkpoint = self._checkpoint()
        try:
            self._zone.recover(checkpoint.renames)
        except RawFileMissingError as error:
            self._reload_reason = str(error)
        slot = source.slot(connection, self._slot)
        identity = source.identity(connection)
        reason = self._reload_reason or reason_to_load(
            checkpoint,
            source=identity,
            slot=slot,
            current_lsn=source.current_lsn(connection),
            unpublished=source.unpublished(connection),
            has_manifest=self._zone.has_manifest(checkpoint.whole_generation),
        )
        if reason is None:
            return checkpoint
        if slot is not None:
            self._discard(connection, checkpoint, slot)
        self._log(f"loading all tables: {reason}")
        self._status.update(phase=Phase.LOADING, generation_reason=reason, rows_loaded={}, error=None)
        # Written before the slot exists: after a crash it is known to be ours, and the load to be incomplete.
        lake = self._relative_lake()
        claim = replace(checkpoint, slot=self._slot, source=identity, lake=lake, lsn=0, previous_lsn=0, renames=())
        claim.write(self._zone.state)
        self._reload_reason = None
        return self._load(connection, claim)

    def _load(self, connection: psycopg.Connection, claim: Checkpoint) -> Checkpoint:
        source.ensure_publication(connection)
        requested = self._reloads.pending()
        try:
            loaded = full_load.load(
                dsn=self._dsn, zone=self._zone, claim=claim, on_progress=self._loaded, on_wait=self._waiting
            )
        except BaseException:
            self._zone.recover(())
            with contextlib.suppress(psycopg.Error):
                source.drop_slot(connection, self._slot)
            raise
        self._zone.commit(loaded)
        self._reloads.settle(requested)
        self._log(f"generation {loaded.generation} loaded: {sum(self._status.status.rows_loaded.values())} rows")
        return replace(loaded, renames=())

    def _stage_requested(self, connection: psycopg.Connection, checkpoint: Checkpoint) -> StagedLoad | None:
        """The tables that somebody wants loaded anew, None without any."""
        tables = self._reloads.begin(connection)
        if not tables:
            return None
        reason = f"a load of {', '.join(tables)} was requested"
        self._log(reason)
        self._status.update(phase=Phase.LOADING, generation_reason=reason, rows_loaded={}, error=None)
        return self._reloads.stage(tables, checkpoint, on_progress=self._loaded, on_wait=self._waiting)

    def _discard(self, connection: psycopg.Connection, checkpoint: Checkpoint, slot: source.Slot) -> None:
        """Drop a slot of ours that is of no more use.

        Raises:
            ReplicationError: the slot may be somebody else's.
            psycopg.OperationalError: a process still holds it.
        """
        if not checkpoint.slot:
            msg = (
                f"the source has a slot {self._slot} that this state folder did not make. If no other replicator uses "
                f"it, run SELECT pg_drop_replication_slot('{self._slot}') on the source; else set another slot name"
            )
            raise ReplicationError(msg)
        if slot.active_pid is not None:
            self._outlast_holder(connection, slot.active_pid)
        source.drop_slot(connection, self._slot)

    def _outlast_holder(self, connection: psycopg.Connection, pid: int) -> None:
        """We hold the lock of the state folder, so the slot's holder served a process that is gone."""
        self._held_since = self._held_since or time.monotonic()
        if time.monotonic() - self._held_since > _HOLDER_SECONDS:
            self._log(f"ending server process {pid}, which still holds slot {self._slot}")
            source.terminate(connection, pid)

    def _wait(self, error: psycopg.OperationalError) -> None:
        """Back off before the next attempt; longer each time, until something was streamed again.

        Raises:
            TimeoutError: the deadline comes first.
        """
        if isinstance(error, psycopg.errors.ObjectInUse):
            with contextlib.suppress(psycopg.OperationalError), source.connect(self._dsn) as connection:
                slot = source.slot(connection, self._slot)
                if slot is not None and slot.active_pid is not None:
                    self._outlast_holder(connection, slot.active_pid)
        text = str(error).strip()
        self._status.update(phase=Phase.RECONNECTING, error=text)
        self._log(f"source away, trying again: {text}")
        self._failures += 1
        self._check_deadline()
        self._stop.wait(min(10.0, 0.2 * 2 ** min(self._failures, 6)))

    def _tick(self, connection: psycopg.Connection, checkpoint: Checkpoint) -> None:
        self._check_deadline()
        self._failures = 0
        flushed = {} if checkpoint.changes == self._status.status.changes else {"last_flush_at": _now_text()}
        self._status.update(
            phase=Phase.STREAMING,
            error=self._reloads.delay,
            lsn=checkpoint.lsn,
            generation=checkpoint.generation,
            changes=checkpoint.changes,
            last_commit_time=checkpoint.last_commit_time,
            **flushed,
        )
        if time.monotonic() - self._monitored >= _MONITOR_SECONDS:
            self._monitored = time.monotonic()
            self._monitor(connection)
        if self._reloads.is_due:
            raise _TablesRequestedError

    def _monitor(self, connection: psycopg.Connection) -> None:
        slot = source.slot(connection, self._slot)
        self._status.update(retained_bytes=None if slot is None else slot.retained_bytes)
        if missing := source.unpublished(connection):
            raise _ReloadError(f"the publication lost {', '.join(missing)}")

    def _loaded(self, table: str, rows: int) -> None:
        self._check()
        self._status.update(rows_loaded={**self._status.status.rows_loaded, table: rows}, error=None)
        self._log(f"{table}: {rows} rows")

    def _waiting(self) -> None:
        self._check()
        text = "a load begins when the transactions that are open on the source have ended"
        if self._status.status.error != text:
            self._log(text)
        self._status.update(error=text)

    def _check(self) -> None:
        self._check_deadline()
        if self._stop.is_set():
            raise _StoppedError

    def _check_deadline(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            reached = self._checkpoint().lsn
            wanted = "the source's position" if self._until is None else source.lsn_text(self._until)
            error = self._status.status.error or "the source is there"
            msg = f"raw reached {source.lsn_text(reached)} but not {wanted} before the deadline ({error})"
            raise TimeoutError(msg)

    def _checkpoint(self) -> Checkpoint:
        """The last checkpoint, or one that knows of nothing.

        Raises:
            ReplicationError: the state folder serves another lake or slot.
        """
        state = self._zone.state
        checkpoint = Checkpoint.read(state)
        if checkpoint is None:
            return Checkpoint(slot="", source="", lake=self._relative_lake())
        if checkpoint.lake_folder(state) != self._zone.lake:
            other = checkpoint.lake_folder(state)
            msg = f"{state} belongs to the lake {other}: use another state folder for {self._zone.lake}"
            raise ReplicationError(msg)
        if checkpoint.slot != self._slot:
            msg = f"{state} belongs to slot {checkpoint.slot}: drop it, and use a new state folder for {self._slot}"
            raise ReplicationError(msg)
        return checkpoint

    def _relative_lake(self) -> str:
        return os.path.relpath(self._zone.lake, self._zone.state.resolve())


def _now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
