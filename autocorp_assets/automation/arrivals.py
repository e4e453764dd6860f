"""What arrives: change files in raw, exports in the landing place."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from autocorp_assets.asset_keys import raw_feed_key, raw_table_key
from autocorp_assets.automation.conditions import TICK_SECONDS
from autocorp_assets.contracts.raw_format import CHANGE_FILE
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.ports import Transfer

AGAIN_SECONDS = 600
"""How long after a failed transfer the same content is tried again."""
CONTENT_TAG = "autocorp/arrivals"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How far a table's raw files have been reported."""

    generation: int = 0
    newest: str = ""
    """Greatest name of a change file; names sort in the order in which they were written."""
    modified: float = 0.0
    """When the last change file was written, in seconds of the epoch: a late one has an older name."""


@dataclass(frozen=True, kw_only=True)
class News:
    """What a look at a table's raw files found beyond what was seen."""

    seen: Seen
    files: int


def look(lake: LakeStorage, table: str, seen: Seen) -> News:
    """List what is new; folders before the newest file's day are not touched."""
    files = lake.change_files(table, since_day(seen.newest))
    new = [file for file in files if file.name > seen.newest or file.modified.timestamp() > seen.modified]
    loads = [load for load in lake.load_manifests(table) if load.generation > seen.generation]
    return News(
        seen=Seen(
            generation=max((load.generation for load in loads), default=seen.generation),
            newest=max([seen.newest, *(file.name for file in new)]),
            modified=max([seen.modified, *(file.modified.timestamp() for file in new)]),
        ),
        files=len(new) + sum(len(load.files) for load in loads),
    )


def since_day(newest: str) -> str | None:
    """First day folder in which a newer file can lie: folders go by commit, names by the later flush."""
    match = CHANGE_FILE.fullmatch(newest)
    if match is None:
        return None
    day = datetime.strptime(match["time"][:8], "%Y%m%d").replace(tzinfo=UTC)
    return f"{day - timedelta(days=1):%Y%m%d}"


def raw_arrivals_sensor(tables: Iterable[str]) -> dg.SensorDefinition:
    """Reports new raw files of the database as materialisations, without a run."""
    names = tuple(tables)

    @dg.sensor(
        name="raw_arrivals",
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports what the replicator has written to raw; curation follows from it.",
    )
    def raw_arrivals(
        context: dg.SensorEvaluationContext, lake: dg.ResourceParam[LakeStorage]
    ) -> dg.SensorResult | dg.SkipReason:
        cursor = read_cursor(context.cursor)
        news = {name: look(lake, name, cursor.get(name, Seen())) for name in names}
        fresh = {name: found for name, found in news.items() if found.seen != cursor.get(name, Seen())}
        if not fresh:
            return dg.SkipReason("no new raw file: the source is quiet, or see sensor `replication_status`")
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
            cursor=json.dumps({name: asdict(found.seen) for name, found in news.items()}),
        )

    return raw_arrivals


def read_cursor(text: str | None) -> Mapping[str, Seen]:
    return {name: Seen(**seen) for name, seen in json.loads(text).items()} if text else {}


def transfer_sensor(feeds: Iterable[str]) -> dg.SensorDefinition:
    """Requests one run for all feeds whose exports have arrived."""
    names = tuple(feeds)

    @dg.sensor(
        name="csv_arrivals",
        target=dg.AssetSelection.groups("raw_csv"),
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Transfers exports once they have stopped growing.",
    )
    def csv_arrivals(
        context: dg.SensorEvaluationContext, transfer: dg.ResourceParam[Transfer]
    ) -> dg.RunRequest | dg.SkipReason:
        arrivals = {name: tuple(transfer.arrivals(name)) for name in names}
        ready = [name for name, found in arrivals.items() if found]
        if not ready:
            return dg.SkipReason(
                "nothing to transfer: no whole file in the landing place whose name is one of "
                + ", ".join(f"{name}-YYYYMMDD.csv" for name in names)
            )
        content = digest(arrivals)
        failed = _failed_before(context.instance, content)
        if failed and failed[0] > time.time() - AGAIN_SECONDS:
            return dg.SkipReason(f"the transfer of {', '.join(ready)} has failed, see its run; tried again shortly")
        return dg.RunRequest(
            run_key=f"{content}-{len(failed)}",
            asset_selection=[raw_feed_key(name) for name in ready],
            tags={CONTENT_TAG: content},
        )

    return csv_arrivals


def _failed_before(instance: dg.DagsterInstance, content: str) -> list[float]:
    """When transfers of exactly this content have failed, newest first, in seconds of the epoch."""
    failed = dg.RunsFilter(tags={CONTENT_TAG: content}, statuses=[dg.DagsterRunStatus.FAILURE])
    return [record.end_time or 0.0 for record in instance.get_run_records(failed)]


def digest(arrivals: Mapping[str, tuple[str, ...]]) -> str:
    """The same for the same content, so that a tick that is repeated starts no second run."""
    return hashlib.sha256(json.dumps(arrivals, sort_keys=True).encode()).hexdigest()[:32]
