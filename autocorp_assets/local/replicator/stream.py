"""The replication connection while it streams: messages in, feedback out."""

from __future__ import annotations

import select
import time
from struct import Struct
from typing import NamedTuple

import psycopg
from psycopg import pq, sql
from psycopg.errors import error_from_result

from autocorp_assets.local.replicator.source import PUBLICATION, lsn_text

FEEDBACK_SECONDS = 10
SILENCE_SECONDS = 120
"""The source answers each request for a sign of life; one that is silent for so long is gone."""

_XLOG_DATA = Struct("!cQQq")
_KEEPALIVE = Struct("!cQqB")
_FEEDBACK = Struct("!cQQQqB")
_POSTGRES_EPOCH_SECONDS = 946_684_800


class Keepalive(NamedTuple):
    """All changes before `lsn` have been sent."""

    lsn: int
    is_reply_requested: bool


class ReplicationStream:
    """START_REPLICATION on a connection of its own, through libpq's COPY BOTH."""

    def __init__(self, connection: psycopg.Connection, *, slot: str, lsn: int) -> None:
        """Start to stream.

        Raises:
            psycopg.Error: the server refused; ObjectInUse when another process holds the slot.
        """
        self._connection = connection
        self._libpq = connection.pgconn
        names = sql.SQL("START_REPLICATION SLOT {} LOGICAL ").format(sql.Identifier(slot)).as_string(connection)
        options = f"(proto_version '1', publication_names '\"{PUBLICATION}\"')"
        result = self._libpq.exec_(f"{names}{lsn_text(lsn)} {options}".encode())
        if result.status != pq.ExecStatus.COPY_BOTH:
            raise error_from_result(result)
        self._libpq.nonblocking = 1
        self._heard = self._told = time.monotonic()

    def receive(self, timeout: float) -> bytes | Keepalive | None:
        """A pgoutput message, a keepalive, or None when nothing came for `timeout` seconds.

        Raises:
            psycopg.Error: the server ended the stream, or the connection broke.
        """
        size, content = self._libpq.get_copy_data(1)
        if size == 0:
            if not select.select([self._libpq.socket], [], [], timeout)[0]:
                self._check_silence()
                return None
            self._libpq.consume_input()
            size, content = self._libpq.get_copy_data(1)
            if size == 0:
                return None
        if size < 0:
            raise self._end()
        self._heard = time.monotonic()
        data = bytes(content)
        if data[0] == 0x77:  # w: a message of the output plugin
            return data[_XLOG_DATA.size :]
        _, lsn, _, is_reply_requested = _KEEPALIVE.unpack_from(data)
        return Keepalive(lsn, bool(is_reply_requested))

    @property
    def is_feedback_due(self) -> bool:
        return time.monotonic() - self._told >= FEEDBACK_SECONDS

    def send_feedback(self, lsn: int, *, ask: bool = False) -> None:
        """Tell the server that everything before `lsn` is safe: it may forget its log up to there.

        Args:
            lsn: of the last checkpoint.
            ask: whether the server is to answer with a keepalive.
        """
        now = int((time.time() - _POSTGRES_EPOCH_SECONDS) * 1_000_000)
        self._libpq.put_copy_data(_FEEDBACK.pack(b"r", lsn, lsn, lsn, now, ask))
        while self._libpq.flush():
            select.select([], [self._libpq.socket], [], 1)
        self._told = time.monotonic()

    def _check_silence(self) -> None:
        if time.monotonic() - self._heard > SILENCE_SECONDS:
            msg = f"the source has not answered for {SILENCE_SECONDS} seconds"
            raise psycopg.OperationalError(msg)

    def _end(self) -> psycopg.Error:
        result = self._libpq.get_result()
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            return error_from_result(result)
        return psycopg.OperationalError("the source ended the replication stream")
