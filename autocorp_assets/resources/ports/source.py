"""The database that replication follows."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import psycopg

GIB = 1024**3
WARN_SHARE = 0.5
"""Of the limit of the log that the source keeps for us."""
UNLIMITED_WARN_BYTES = GIB
"""Where there is no limit."""


@dataclass(frozen=True, kw_only=True)
class RetainedLog:
    """The log that the source keeps because replication has not read it yet."""

    slot: str
    bytes: int
    limit_bytes: int | None
    """Beyond it the source gives the slot up rather than its disk; None when it never does."""
    is_lost: bool
    """It has given the slot up."""
    after_loss: str = (
        "the next start of replication (`autocorp dev` or `autocorp sync`) loads all tables again, by itself"
    )
    how_to_start: str = "Start replication: `autocorp dev` or `autocorp sync`"

    @property
    def warning(self) -> str | None:
        """What is wrong and what to do; None while all is well."""
        if self.is_lost:
            return f"the source has given up slot {self.slot} and removed changes that were not read: {self.after_loss}"
        limit = self.limit_bytes
        if self.bytes <= (UNLIMITED_WARN_BYTES if limit is None else limit * WARN_SHARE):
            return None
        end = (
            "nothing but the source's disk limits it (max_slot_wal_keep_size = -1)"
            if limit is None
            else f"at {limit / GIB:,.1f} GiB it gives the slot up, and all tables are loaded again"
        )
        return (
            f"the source keeps {self.bytes / GIB:,.2f} GiB of log for slot {self.slot}; {end}. {self.how_to_start}. "
            "If this lake is of no more use, run on the source: "
            f"SELECT pg_drop_replication_slot('{self.slot}')"
        )


class SourceUnavailable(RuntimeError):
    """The source cannot be asked; the message says why and what to do, and holds no password."""


class ReadOnlySource(Protocol):
    """The database that replication follows, for who compares the lake with it."""

    def connect(self, *, statement_seconds: float) -> AbstractContextManager[psycopg.Connection]:
        """A connection that can only read, and on which no statement takes longer than that.

        Every statement is a transaction of its own. Texts come as `reconciliation.canonical` needs them.

        Raises SourceUnavailable, also for what goes wrong in the database while inside.
        """
        ...
