"""What assets and sensors need from the world; each deployment says who provides it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import dagster as dg
    import psycopg

    from autocorp_assets.query.result import QueryResult
    from spark_jobs.plan import TablePlan

Progress = Callable[[str], None]
"""Takes one line for the operator."""


GIB = 1024**3
WARN_SHARE = 0.5
"""Of the limit of the log that the source keeps for us."""
UNLIMITED_WARN_BYTES = GIB
"""Where there is no limit."""


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


@dataclass(frozen=True, kw_only=True)
class TransferOutcome:
    """What one look at the landing place of a feed came to."""

    transferred: tuple[str, ...]
    bytes: int
    waiting: tuple[str, ...]
    """Names still being written; taken by a later transfer."""
    ignored: Mapping[str, str]
    """Remedy by name, for files that are not deliveries of any feed or cannot be taken."""
    details: Mapping[str, str | int | float] = field(default_factory=dict)
    """What the service that moved them says of its work."""
    remarks: tuple[str, ...] = ()
    """What an operator should know although nothing failed."""


@dataclass(frozen=True, kw_only=True)
class EndedTransfer:
    """A transfer that has come to its end."""

    name: str
    is_news: bool
    """Others than this platform have started it, and it has brought something or has failed."""


class TransferFailed(RuntimeError):
    """Exports were not brought into raw; the message says of which feed, why, and what to do."""


class Transfer(Protocol):
    """Moves whole files from where exports arrive into raw."""

    def arrivals(self, feeds: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """By feed what there is to take or to complain of, one text a version of a file: it changes when the file does.

        Cheap, for a sensor. A feed without any may be left out.

        Raises:
            TransferFailed: nobody can say what has arrived.
        """
        ...

    def ended(self, feed: str, *, told: str | None) -> EndedTransfer | None:
        """The newest transfer, once it has ended; None also when it is `told`, which was given before."""
        ...

    def transfer(self, feed: str, *, on_progress: Progress, ended: str | None = None) -> TransferOutcome:
        """Return once raw holds, verified and visible, what had arrived when this was called.

        Args:
            feed: name of the feed.
            on_progress: told of each phase.
            ended: take in the result of this transfer, as `ended` gave it, and start none.

        Raises:
            TransferFailed: also where the files were moved and are not what they should be.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """What a job said, and how it ended."""

    results: tuple[dg.MaterializeResult, ...]
    """Tables that it committed."""
    messages: tuple[Mapping[str, Any], ...]
    """Tables that it could not curate: `{"table", "error", "file"}`."""
    ended: str | None
    """How it died, None when it ended well."""
    log: Path | str
    """Where its output is."""
    tail: str = ""
    """Last lines of the output; empty when it ended well."""
    retry_soon: bool = True
    """Whether a job that died is worth a second one at once; where jobs cost money, automation asks again later."""


class JobError(RuntimeError):
    """The job could not be started or followed; the message says why and what to do."""


class JobRunner(Protocol):
    """Runs the Spark job that applies plans."""

    def hold_writer(self, *, on_wait: Progress) -> AbstractContextManager[WriterHold]:
        """Keep every other writer out of the lake while inside, beyond this Dagster instance.

        Plans are to be made inside, since what is pending changes with each commit.

        Raises JobError, as `run` does, when nobody can say who writes, or another writer does not end.
        """
        ...


class WriterHold(Protocol):
    """The right to write, and the way to use it."""

    def run(self, *, context: dg.AssetExecutionContext, plans: Sequence[TablePlan]) -> JobOutcome:
        """Returns also when the job died: its tables are then missing from the results."""
        ...


class Alerts(Protocol):
    """Tells people what has gone wrong, and when it is over."""

    def send(self, *, subject: str, text: str) -> None:
        """Returns once it is delivered to whoever passes it on; never raises: a lost alert is logged."""
        ...


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number at one moment."""

    name: str
    value: float
    unit: Literal["Seconds", "Count", "Bytes"]
    table: str | None = None


class Metrics(Protocol):
    """Keeps numbers over time, where others can plot them and be alarmed."""

    def publish(self, measurements: Sequence[Measurement]) -> None: ...


class Query(Protocol):
    """Answers Athena's SQL over the lake as it is now."""

    def run(self, sql: str, *, parameters: Sequence[object] = ()) -> QueryResult:
        """The rows of one statement that only reads.

        Args:
            sql: in Athena's SQL; tables without a schema are those of `autocorp`.
            parameters: values for the statement's `?`.

        Raises QueryError when the statement cannot be run; the message is for the analyst.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class CatalogTable:
    """What the catalog says of a table."""

    columns: Mapping[str, str]
    """Types by name, as Spark SQL has them."""
    remedy: str
    """What to do when they are not the stored table's."""
    complaints: tuple[str, ...] = ()
    """What else would keep engines from reading the table as it is, each with its remedy."""


class CatalogError(RuntimeError):
    """Tables cannot be found by SQL engines, or the catalog cannot be asked; the message says why and what to do."""


class Catalog(Protocol):
    """Where SQL engines find the tables of the lake. Both methods raise CatalogError."""

    def register(self, stored: Mapping[str, Mapping[str, str]]) -> Sequence[str]:
        """Make sure that tables can be queried, with the columns that they have; what was done for that, in words.

        Cheap when nothing has to be done. What can be done is, also when CatalogError then tells of the rest.

        Args:
            stored: the columns of tables that have a commit, and their types by Spark SQL's names, by table.
        """
        ...

    def describe(self, tables: Sequence[str]) -> Mapping[str, CatalogTable]:
        """Those of the tables that the catalog knows, by name."""
        ...


@dataclass(frozen=True, kw_only=True)
class ViewsOutcome:
    """What became of views that were to be as the release has them; those not named are so already."""

    made: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)
    """For what, by view: tables or columns that do not exist yet."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why, by view."""


class Views(Protocol):
    """The views that SQL engines know."""

    def bring(self, names: Sequence[str]) -> ViewsOutcome:
        """Have views be what this release makes of the tables as they are: of `queries/views` those named and those
        that they read, and of the tables below them those with the contract's columns.

        Raises CatalogError when nobody can say how they are.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Crawl:
    """What a crawler last did."""

    is_running: bool
    began: float | None = None
    """When its last crawl that has ended began, in seconds of the epoch."""
    failure: str | None = None
    """Why that one failed, and what to do."""


class CrawlerError(RuntimeError):
    """The crawler cannot be used; the message says why and what to do."""


class Crawler(Protocol):
    """Enters raw files in the catalog. Both methods raise CrawlerError."""

    def last(self) -> Crawl: ...

    def start(self) -> None:
        """Returns at once, also when it runs already."""
        ...


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """Where new raw objects are said to be; that they are, and that they are new, is for the listing to find."""

    paths: frozenset[str] = frozenset()
    """Relative to the lake's root."""
    receipts: tuple[str, ...] = ()
    """What `forget` needs."""


class EventsUnavailable(RuntimeError):
    """News cannot be asked for, or not be forgotten; the message says why and what to do."""


class ArrivalEvents(Protocol):
    """News of objects in raw: some are lost, some come twice, and in any order.

    Both methods raise EventsUnavailable.
    """

    def receive(self) -> Arrivals:
        """What has been told since; told again later unless it is forgotten."""
        ...

    def forget(self, arrivals: Arrivals) -> None: ...
