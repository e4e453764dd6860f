"""What arrives in raw of the database: reported, without a run."""

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import dagster as dg

from autocorp_assets.asset_keys import raw_table_key
from autocorp_assets.automation.completeness import RAW_SENSOR
from autocorp_assets.automation.pace import LOCAL, Pace
from autocorp_assets.contracts.raw_format import CHANGE_FILE, LOAD_MANIFESTS, RAW_DATABASE
from autocorp_assets.lake.load_manifests import LoadManifests
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.ports.arrival_events import ArrivalEvents, Arrivals, EventsUnavailable
from spark_jobs.plan import LoadManifest

QUIET = "no new raw file: the source is quiet, or see sensor `replication_status`"

UNREAD = "CANNOT BE READ, while all else is looked at"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How far a table's raw files have been reported."""

    generation: int = 0
    newest: str = ""
    """Greatest name of a change file; names sort in the order in which they were written."""
    modified: float = 0.0
    """When the last change file was written, in seconds of the epoch: a late one has an older name."""


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """What the sensor knows when a tick begins."""

    seen: Mapping[str, Seen]
    """By table."""
    listed_at: float = 0.0
    """When all of raw was last listed, in seconds of the epoch."""

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Also of a deployment without events, where it is only what was seen."""
        said = json.loads(text) if text else {}
        seen = said.get("seen", said)
        return cls(
            seen={table: Seen(**value) for table, value in seen.items()},
            listed_at=said["listed_at"] if "seen" in said else 0.0,
        )

    def text(self) -> str:
        seen = {table: asdict(value) for table, value in self.seen.items()}
        return json.dumps({"seen": seen, "listed_at": self.listed_at} if self.listed_at else seen)


@dataclass(frozen=True, kw_only=True)
class News:
    """What a look at a table's raw files found beyond what was seen."""

    seen: Seen
    files: int


def look(
    lake: LakeStorage,
    table: str,
    seen: Seen,
    *,
    folders: Collection[str] | None = None,
    loads: Iterable[LoadManifest] | None = None,
) -> News:
    """List what is new; folders before the newest file's day are not touched.

    Args:
        lake: the lake.
        table: the table.
        seen: what was reported of it.
        folders: only these, relative to the lake's root; the recent ones of the table unless given.
        loads: complete loads that may be new; read from the lake unless given.
    """
    files = (
        lake.change_files(table, since_day(seen.newest))
        if folders is None
        else [file for folder in folders for file in lake.change_files_in(folder)]
    )
    new = [file for file in files if file.name > seen.newest or file.modified.timestamp() > seen.modified]
    known = lake.loads(table) if loads is None else loads
    fresh = [load for load in known if load.generation > seen.generation]
    return News(
        seen=Seen(
            generation=max((load.generation for load in fresh), default=seen.generation),
            newest=max([seen.newest, *(file.name for file in new)]),
            modified=max([seen.modified, *(file.modified.timestamp() for file in new)]),
        ),
        files=len(new) + sum(len(load.files) for load in fresh),
    )


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a look at raw came to."""

    news: Mapping[str, News]
    """By table, of those that could be looked at."""
    unread: tuple[str, ...] = ()
    """What could not be read, and why. It holds back nothing else, and comes as news once it can be."""

    def quiet(self, cursor: Cursor) -> str:
        """Why nothing is reported."""
        if self.unread:
            return f"{UNREAD}: {'; '.join(self.unread)}"
        newest = max((seen.newest for seen in cursor.seen.values()), default="")
        return f"{QUIET}; the newest is {newest}" if newest else QUIET


def look_at_all(lake: LakeStorage, tables: Iterable[str], cursor: Cursor) -> Found:
    """What is new anywhere."""
    return _look(lake, dict.fromkeys(tables), cursor, with_loads=True)


def look_where_told(lake: LakeStorage, tables: Iterable[str], cursor: Cursor, paths: Collection[str]) -> Found:
    """What is new in the folders of these paths: a listing each, whatever number of events named them."""
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        table = folder.removeprefix(f"{RAW_DATABASE}/").split("/", 1)[0]
        if CHANGE_FILE.fullmatch(name) and folder.startswith(f"{RAW_DATABASE}/"):
            folders.setdefault(table, set()).add(folder)
    has_loads = any(path.startswith(f"{LOAD_MANIFESTS}/") for path in paths)
    where = {table: sorted(folders.get(table, ())) for table in tables if has_loads or table in folders}
    return _look(lake, where, cursor, with_loads=has_loads)


def _look(lake: LakeStorage, where: Mapping[str, Collection[str] | None], cursor: Cursor, *, with_loads: bool) -> Found:
    seen = {table: cursor.seen.get(table, Seen()) for table in where}
    after = min((value.generation for value in seen.values()), default=0)
    news: dict[str, News] = {}
    manifests = lake.load_manifests(after=after) if with_loads else LoadManifests(contents={}, unreadable={})
    unread = list(manifests.unreadable.values())
    for table, folders in where.items():
        try:
            news[table] = look(lake, table, seen[table], folders=folders, loads=manifests.readable_of(table))
        except OSError as error:
            unread.append(f"{table}: {error}")
    return Found(news=news, unread=tuple(unread))


def since_day(newest: str) -> str | None:
    """First day folder in which a newer file can lie: folders go by commit, names by the later flush."""
    match = CHANGE_FILE.fullmatch(newest)
    if match is None:
        return None
    day = datetime.strptime(match["time"][:8], "%Y%m%d").replace(tzinfo=UTC)
    return f"{day - timedelta(days=1):%Y%m%d}"


def raw_arrivals_sensor(
    tables: Iterable[str], *, lake: LakeStorage, events: ArrivalEvents | None = None, pace: Pace = LOCAL
) -> dg.SensorDefinition:
    """Reports new raw files of the database as materialisations, without a run.

    Args:
        tables: names.
        lake: is listed. An argument and no resource of Dagster, as are the events: for resources it opens its instance
            at each tick, which costs a hundred times what the look itself does.
        events: tell where something has arrived; without them all is listed at each tick.
        pace: how often it looks.
    """
    names = tuple(tables)
    return _listing_sensor(names, lake, pace) if events is None else _listening_sensor(names, lake, events, pace)


def _sensor(pace: Pace) -> Callable[[Callable[..., Any]], dg.SensorDefinition]:
    return dg.sensor(
        name=RAW_SENSOR,
        minimum_interval_seconds=pace.tick_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports what replication has written to raw; curation follows from it.",
    )


def _listing_sensor(tables: Sequence[str], lake: LakeStorage, pace: Pace) -> dg.SensorDefinition:
    """Lists at each tick: for a lake in a folder, where that costs nothing."""

    @_sensor(pace)
    def raw_arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        cursor = Cursor.read(context.cursor)
        found = look_at_all(lake, tables, cursor)
        return _told(found.news, cursor) or dg.SkipReason(found.quiet(cursor))

    return raw_arrivals


def _listening_sensor(
    tables: Sequence[str], lake: LakeStorage, arrival_events: ArrivalEvents, pace: Pace
) -> dg.SensorDefinition:
    """Lists where events say that there is something, and everything now and then, since events are lost.

    What is new is for the listing to say: events that come twice or in another order do no harm. They are forgotten
    once what they told is stored: at once if nothing was new, else by the tick that begins with the cursor of the one
    that told. What a crash leaves in between is told again, and is no news then.
    """
    to_forget: dict[str | None, Arrivals] = {}
    """By the cursor that says that their news are stored."""

    @_sensor(pace)
    def raw_arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        _forget(context, arrival_events, to_forget.pop(context.cursor, Arrivals()))
        to_forget.clear()
        cursor = Cursor.read(context.cursor)
        arrivals, now = _receive(context, arrival_events), time.time()
        if now >= cursor.listed_at + pace.listing_seconds:
            found, cursor = look_at_all(lake, tables, cursor), replace(cursor, listed_at=now)
        else:
            found = look_where_told(lake, tables, cursor, arrivals.paths)
        if found.unread:
            # They come again, and with them the look at what could not be read.
            arrivals = Arrivals()
        result = _told(found.news, cursor)
        if result is None:
            _forget(context, arrival_events, arrivals)
            return dg.SensorResult(skip_reason=found.quiet(cursor), cursor=cursor.text())
        to_forget[result.cursor] = arrivals
        return result

    return raw_arrivals


def _receive(context: dg.SensorEvaluationContext, events: ArrivalEvents) -> Arrivals:
    """Nothing while events cannot be had: the listing then finds what is new, only later."""
    try:
        return events.receive()
    except EventsUnavailable as error:
        context.log.error(f"new raw files are only found by the listing now and then: {error}")
        return Arrivals()


def _forget(context: dg.SensorEvaluationContext, events: ArrivalEvents, arrivals: Arrivals) -> None:
    try:
        events.forget(arrivals)
    except EventsUnavailable as error:
        context.log.warning(f"events come again: {error}")


def _told(news: Mapping[str, News], cursor: Cursor) -> dg.SensorResult | None:
    """News as materialisations, and the cursor after them; None when there are none."""
    fresh = {name: found for name, found in news.items() if found.seen != cursor.seen.get(name, Seen())}
    if not fresh:
        return None
    seen = {**cursor.seen, **{name: found.seen for name, found in news.items()}}
    return dg.SensorResult(
        asset_events=[
            dg.AssetMaterialization(
                asset_key=raw_table_key(name),
                description=f"{found.files} new files",
                metadata={
                    "new_files": found.files,
                    "newest_file": found.seen.newest,
                    "load_generation": found.seen.generation,
                },
            )
            for name, found in fresh.items()
        ],
        cursor=replace(cursor, seen=seen).text(),
    )
