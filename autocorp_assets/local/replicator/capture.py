"""Continuous capture: the slot's stream into batches, each committed to raw and then told to the slot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from autocorp_assets.local.replicator import pgoutput
from autocorp_assets.local.replicator.batch import SPILL_ROWS, Batch, Lookup
from autocorp_assets.local.replicator.checkpoint import Checkpoint, ReplicationError
from autocorp_assets.local.replicator.raw_zone import RawZone
from autocorp_assets.local.replicator.stream import Keepalive, ReplicationStream
from autocorp_assets.local.replicator.table import SourceTable, from_relation

_TICK_SECONDS = 0.1
_HURRIED_TICK_SECONDS = 0.02


class Capture:
    """Follows one stream until it is stopped, has reached a position, or the stream breaks.

    What is in the open batch when the stream breaks is dropped: the next stream sends it again.
    """

    def __init__(
        self,
        *,
        stream: ReplicationStream,
        zone: RawZone,
        checkpoint: Checkpoint,
        lookup: Lookup,
        flush_seconds: float,
        on_tick: Callable[[Checkpoint], None],
        log: Callable[[str], None],
    ) -> None:
        """`on_tick` is called several times a second, and after each commit; what it raises ends the capture."""
        self.checkpoint = checkpoint
        self._stream = stream
        self._zone = zone
        self._lookup = lookup
        self._flush_seconds = flush_seconds
        self._on_tick = on_tick
        self._log = log
        self._tables: dict[int, SourceTable | None] = {}
        self._batch = self._new_batch()
        self._received = checkpoint.lsn
        self._committed_at = time.monotonic()
        self._in_transaction = False
        self._is_known = False
        """Whether the current transaction is in raw already."""
        self._until: int | None = None
        self._held_back: bytes | None = None
        """Start of the first transaction after `_until`, for the next run."""

    def run(self, *, until: int | None, stop: threading.Event) -> Checkpoint:
        """Capture until raw has every commit before the LSN `until` and none after it, or `stop` is set.

        What has arrived is committed. It may be run again, from there.

        Raises:
            psycopg.Error: the stream broke.
        """
        self._until = until
        self._stream.send_feedback(self.checkpoint.lsn, ask=True)
        tick = min(self._flush_seconds, _TICK_SECONDS if until is None else _HURRIED_TICK_SECONDS)
        asked = ticked = time.monotonic()
        while not stop.is_set() and (until is None or self.checkpoint.lsn < until):
            message, self._held_back = self._held_back or self._stream.receive(tick), None
            if message is not None:
                self._take(message)
            now = time.monotonic()
            if now - ticked >= tick or message is None:
                ticked = now
                self._on_tick(self.checkpoint)
            if not self._in_transaction and self._is_due(until):
                self._commit()
            elif message is None and now - asked >= min(self._flush_seconds, 10 * tick):
                asked = now
                self._stream.send_feedback(self.checkpoint.lsn, ask=True)
            elif self._stream.is_feedback_due:
                self._stream.send_feedback(self.checkpoint.lsn)
        self._drop_open_transaction_or_commit()
        return self.checkpoint

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Between two runs: something else was committed after the last checkpoint."""
        self.checkpoint = checkpoint
        self._batch = self._new_batch()

    def _take(self, message: bytes | Keepalive) -> None:
        if isinstance(message, Keepalive):
            if not self._in_transaction:
                self._received = max(self._received, message.lsn)
            if message.is_reply_requested:
                self._stream.send_feedback(self.checkpoint.lsn)
            return
        change = pgoutput.decode(message)
        match change:
            case pgoutput.Begin(commit_lsn, _) if self._until is not None and commit_lsn >= self._until:
                # Commits come in the order of the log: all those before `until` are here.
                self._held_back = message
                self._received = max(self._received, self._until)
            case pgoutput.Begin(commit_lsn, commit_time):
                self._begin(commit_lsn, commit_time)
            case pgoutput.Commit(end_lsn):
                self._in_transaction = False
                self._received = max(self._received, end_lsn)
            case pgoutput.Relation():
                self._tables[change.oid] = self._learn(change)
            case _ if change is not None and not self._is_known:
                self._apply(change, len(message))

    def _apply(self, change: pgoutput.Change, size: int) -> None:
        if isinstance(change, pgoutput.Truncate):
            truncated = [table for oid in change.relations if (table := self._table(oid)) is not None]
            if truncated:
                self._log(f"truncated: {', '.join(table.name for table in truncated)}")
                self._batch.truncate(truncated)
            return
        table = self._table(change.relation)
        if table is None:
            return
        match change:
            case pgoutput.Insert():
                self._batch.insert(table, change, size)
            case pgoutput.Update():
                self._batch.update(table, change, size)
            case pgoutput.Delete():
                self._batch.delete(table, change, size)

    def _begin(self, commit_lsn: int, commit_time: int) -> None:
        if self._batch.age >= self._flush_seconds:  # what is old does not wait for a long transaction
            self._commit()
        self._in_transaction = True
        self._is_known = commit_lsn < self.checkpoint.lsn
        if not self._is_known:
            self._batch.clock.begin(commit_time)

    def _table(self, oid: int) -> SourceTable | None:
        try:
            return self._tables[oid]
        except KeyError:
            msg = f"the source sent a change of relation {oid} before its description"
            raise ReplicationError(msg) from None

    def _learn(self, relation: pgoutput.Relation) -> SourceTable | None:
        table = from_relation(relation)
        if table is None:
            self._log(f"changes of {relation.schema}.{relation.table} are published, but no contract names it: ignored")
        known = self._tables.get(relation.oid)
        # The same object as before, so that a batch finds its open part without comparing columns.
        return known if known == table else table

    def _is_due(self, until: int | None) -> bool:
        if self._batch.is_empty:
            is_old = time.monotonic() - self._committed_at >= self._flush_seconds
            return self._received > self.checkpoint.lsn and (is_old or _reaches(self._received, until))
        is_full = self._batch.changes >= SPILL_ROWS
        return is_full or self._batch.age >= self._flush_seconds or _reaches(self._received, until)

    def _commit(self) -> None:
        checkpoint = self._batch.seal(lsn=self._received)
        self._zone.commit(checkpoint)
        # The renames are done: nothing has to remember them, and files may be moved by others from now on.
        self.checkpoint = replace(checkpoint, renames=())
        self._committed_at = time.monotonic()
        self._stream.send_feedback(self.checkpoint.lsn)
        self._batch = self._new_batch()
        self._on_tick(self.checkpoint)

    def _drop_open_transaction_or_commit(self) -> None:
        if not self._in_transaction and self._received > self.checkpoint.lsn:
            self._commit()

    def _new_batch(self) -> Batch:
        return Batch(zone=self._zone, checkpoint=self.checkpoint, lookup=self._lookup)


def _reaches(lsn: int, until: int | None) -> bool:
    return until is not None and lsn >= until
