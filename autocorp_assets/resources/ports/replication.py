"""Changes of the source into raw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.source import RetainedLog


@dataclass(frozen=True, kw_only=True)
class TableCounters:
    """What a service that replicates has counted of one table."""

    state: str
    """In the service's words."""
    full_load_rows: int
    inserts: int
    updates: int
    deletes: int
    ddls: int
    errors: int
    """Rows of the full load that did not arrive."""


@dataclass(frozen=True, kw_only=True)
class CaughtUp:
    """Raw holds everything that the source had committed when it was asked."""

    position: str
    """Position in the source that raw has passed (PostgreSQL: LSN; DMS: commit time)."""
    seconds: float
    lag_seconds: float | None = None
    """How far raw is behind the source; None where nobody measures it."""
    tables: Mapping[str, TableCounters] = field(default_factory=dict)
    """By table, where the service counts."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why these tables, and no others, are not in raw as they are in the source, and what to do."""


@dataclass(frozen=True, kw_only=True)
class ReplicationState:
    """Where replication stands."""

    running: bool
    should_run: bool
    """Whether something other than this process is meant to keep it running."""
    summary: str
    """One line: what it does, or why it does not."""
    silent_seconds: float | None = None
    """Since a running one last said how it stands; None when none runs."""
    lag_seconds: float | None = None
    """How far raw is behind the source; None where nobody measures it."""
    is_settling: bool = False
    """It is starting or stopping by itself: look again later."""
    restart_mends: bool = False
    """It is down, and a restart may be all that it needs."""
    remedy: str = ""
    """What a person has to do, where a restart does not mend it."""
    tables_in_error: tuple[str, ...] = ()
    """Tables that have dropped out while the others go on."""
    is_following: bool = False
    """It is in touch with the source and past its loads: while nothing arrives, nothing has happened there."""


class ReplicationError(RuntimeError):
    """Raw did not get to where the source was; the message says why and what to do."""


class Replication(Protocol):
    """Moves the database's rows into raw; assets only make sure that it happened."""

    def state(self) -> ReplicationState:
        """Cheap: reads a status, does not open the source."""
        ...

    def retained_log(self) -> RetainedLog | None:
        """Asks the source, whether or not replication runs; None when it is away or keeps nothing for us."""
        ...

    def catch_up(self, *, deadline_seconds: float, on_progress: Progress, may_start: bool = True) -> CaughtUp:
        """Return once raw has passed the position that the source has now.

        Without `may_start` a service that has been stopped is left so, for callers that nobody has asked.

        Raises ReplicationError after `deadline_seconds`, or when the source cannot be read.
        """
        ...

    def reload(self, tables: Sequence[str], *, deadline_seconds: float, on_progress: Progress) -> Mapping[str, str]:
        """Return once raw holds a new complete load of each table, begun after the call; why not, for those refused.

        Raises ReplicationError after `deadline_seconds`, or when the source cannot be read.
        """
        ...


@runtime_checkable
class ManagedReplication(Replication, Protocol):
    """Replication by a service that goes on without us, and that we may start again. Nothing here waits."""

    def resume(self) -> str:
        """Start what has stopped, where it left off; what was done.

        Raises ReplicationError when it cannot be started.
        """
        ...

    def begin_reload(self, table: str) -> None:
        """Have one table loaded anew while the others go on.

        Raises ReplicationError when it cannot be.
        """
        ...

    def record_loads(self) -> Sequence[str]:
        """Write manifests of complete loads that have none, such as of a load begun in the console; their tables.

        Cheap when there are none. Raises ReplicationError when the service or the lake cannot be read.
        """
        ...
