"""Versions of a Hudi Copy-on-Write table (table version 6) through hudi-rs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from hudi import HudiFileSlice, HudiInstant, HudiReadOptions, HudiTable, HudiTableBuilder
from pyarrow.fs import FileSelector, FileType

from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.versions import CommitInfo, Head, Snapshot, TableNotReadable
from spark_jobs.checkpoint import HUDI_METADATA_KEY, Checkpoint

META_PREFIX = "_hoodie_"
SETTLE_SECONDS = 1.0
SETTLE_POLL_SECONDS = 0.05
NO_COMMIT = "null"
"""What a commit says came before a new file."""
SPARK_TYPE_BY_LOGICAL_TYPE = {
    "date": "date",
    "timestamp-micros": "timestamp",
    "timestamp-millis": "timestamp",
    "local-timestamp-micros": "timestamp_ntz",
    "local-timestamp-millis": "timestamp_ntz",
}
SPARK_TYPE_BY_AVRO_TYPE = {"long": "bigint", "bytes": "binary"}


def read_snapshot(uri: str, table: str, as_of: datetime | None) -> Snapshot | None:
    hudi = _open_settled(uri, table)
    instants = _completed(hudi, as_of) if hudi else []
    if hudi is None or not instants:
        _refuse_archived(uri, table, as_of)
        return None
    # Pinned to the instant: a write that ends or starts meanwhile adds files of a later one.
    slices = hudi.get_file_slices(HudiReadOptions().with_as_of_timestamp(instants[0].timestamp))
    if any(file_slice.has_log_files() for file_slice in slices):
        message = f"{table}: the Hudi table has log files (Merge-on-Read); its Parquet files alone give stale rows"
        raise TableNotReadable(message)
    if as_of is not None:
        _refuse_cleaned(hudi, table, instants[0], {file_slice.file_id: file_slice for file_slice in slices})
    return Snapshot(
        table=table,
        commit=instants[0].timestamp,
        committed_at=_time(instants[0]),
        checkpoint=_checkpoint(hudi, instants),
        files=tuple(f"{uri}/{file_slice.base_file_relative_path()}" for file_slice in slices),
        file_sizes=tuple(file_slice.base_file_size for file_slice in slices),
        columns=_columns(hudi, instants),
    )


def read_head(uri: str, table: str) -> Head | None:  # noqa: ARG001
    hudi = _open(uri)
    instants = _completed(hudi, None) if hudi else []
    if hudi is None or not instants:
        return None
    return Head(
        commit=instants[0].timestamp,
        committed_at=_time(instants[0]),
        checkpoint=_checkpoint(hudi, instants),
    )


def read_columns(uri: str, table: str, as_of: datetime | None) -> dict[str, str] | None:
    hudi = _open_settled(uri, table)
    instants = _completed(hudi, as_of) if hudi else []
    if hudi is None or not instants:
        _refuse_archived(uri, table, as_of)
        return None
    return _columns(hudi, instants)


def read_commits(uri: str, limit: int) -> list[CommitInfo]:
    hudi = _open(uri)
    if hudi is None:
        return []
    instants = _completed(hudi, None)[:limit]
    return [
        CommitInfo(
            commit=instant.timestamp,
            committed_at=_time(instant),
            operation=metadata.get("operationType") or instant.action.upper(),
        )
        for instant, metadata in zip(instants, _metadata(hudi, instants), strict=True)
    ]


def _open(uri: str) -> HudiTable | None:
    file_system, path = open_file_system(uri)
    properties = file_system.get_file_info(f"{path}/.hoodie/hoodie.properties")
    # An empty one is a table about to be made, by a writer or, after a crash, by the next.
    is_there = properties.type is FileType.File and properties.size > 0
    return HudiTableBuilder.from_base_uri(uri).build() if is_there else None


def _open_settled(uri: str, table: str) -> HudiTable | None:
    """The table once no commit file is in the midst of being written: hudi-rs reads all of them for a listing."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (hudi := _open(uri)) is not None:
        newest = next(iter(_instants(hudi)), None)
        if newest is None or _is_whole(hudi, newest):
            return hudi
        if time.monotonic() > deadline:
            message = (
                f"{table}: a crash has cut off the file of commit {newest.timestamp}, of which nothing counts: the "
                "next pass that has something new for the table rolls it back (autocorp sync)"
            )
            raise TableNotReadable(message)
        time.sleep(SETTLE_POLL_SECONDS)
    return None


def _completed(hudi: HudiTable, as_of: datetime | None) -> list[HudiInstant]:
    """Completed writes that are not later than `as_of`, newest first. Cleans and rollbacks are none."""
    found = _instants(hudi)
    if found and not _is_whole(hudi, found[0]):
        del found[0]
    return [instant for instant in found if as_of is None or _time(instant) <= as_of]


def _instants(hudi: HudiTable) -> list[HudiInstant]:
    """Newest first."""
    timeline = hudi.get_timeline()
    found = [*timeline.get_completed_commits(desc=True), *timeline.get_completed_replacecommits(desc=True)]
    return sorted(found, key=lambda instant: instant.timestamp, reverse=True)


def _is_whole(hudi: HudiTable, instant: HudiInstant) -> bool:
    """Whether a commit's file has been written to its end.

    On a local disk Hudi writes it in place: for a moment, or for ever after a crash in that moment, the
    newest one is empty or cut off, and nothing is committed yet.
    """
    try:
        json.loads(hudi.get_timeline().get_instant_metadata_in_json(instant))
    except ValueError:
        return False
    return True


def _refuse_archived(uri: str, table: str, as_of: datetime | None) -> None:
    """Of a time before the oldest commit: the table was not there yet only if no commit has left the timeline."""
    if as_of is not None and _is_archived(uri):
        message = f"{table}: history at {as_of:%Y-%m-%d %H:%M:%S} UTC is no longer kept"
        raise TableNotReadable(message)


def _is_archived(uri: str) -> bool:
    """Whether the table had commits that its timeline no longer lists."""
    file_system, path = open_file_system(uri)
    archive = FileSelector(f"{path}/.hoodie/archived", allow_not_found=True)
    return any(entry.is_file for entry in file_system.get_file_info(archive))


def _refuse_cleaned(hudi: HudiTable, table: str, at: HudiInstant, slices: dict[str, HudiFileSlice]) -> None:
    """Every file that a later commit replaced must still be there, or rows would be missing without a word.

    A commit names for each file the version before it; what the cleaner has removed is told by that.
    """
    later = [instant for instant in _completed(hudi, None) if instant.timestamp > at.timestamp]
    settled: set[str] = set()
    for metadata in _metadata(hudi, later[::-1]):
        expected = {
            stat["fileId"]: stat["prevCommit"] for stats in metadata["partitionToWriteStats"].values() for stat in stats
        }
        replaced = {file_id: None for ids in metadata.get("partitionToReplaceFileIds", {}).values() for file_id in ids}
        for file_id, before in {**replaced, **expected}.items():
            file_slice = slices.get(file_id)
            is_there = file_slice is not None and before in (None, file_slice.creation_instant_time)
            if file_id not in settled and before != NO_COMMIT and not is_there:
                message = f"{table}: the version of {_time(at):%Y-%m-%d %H:%M:%S} UTC is no longer kept in full"
                raise TableNotReadable(message)
            settled.add(file_id)


def _metadata(hudi: HudiTable, instants: Sequence[HudiInstant]) -> Iterator[dict[str, Any]]:
    """What each commit says about itself; read one after another, so that a reader may stop at the first."""
    timeline = hudi.get_timeline()
    for instant in instants:
        yield json.loads(timeline.get_instant_metadata_in_json(instant))


def _checkpoint(hudi: HudiTable, instants: Sequence[HudiInstant]) -> Checkpoint | None:
    carried = (metadata.get("extraMetadata", {}).get(HUDI_METADATA_KEY) for metadata in _metadata(hudi, instants))
    text = next(filter(None, carried), None)
    return Checkpoint.from_json(text) if text else None


def _columns(hudi: HudiTable, instants: Sequence[HudiInstant]) -> dict[str, str]:
    """Of the newest commit that states a schema."""
    stated = (metadata.get("extraMetadata", {}).get("schema") for metadata in _metadata(hudi, instants))
    schema = json.loads(next(filter(None, stated), '{"fields": []}'))
    return {
        field["name"]: _spark_type(field["type"])
        for field in schema["fields"]
        if not field["name"].startswith(META_PREFIX)
    }


def _spark_type(avro_type: Any) -> str:
    """Spark SQL's name of an Avro type; of a union with null, that of the other branch."""
    if isinstance(avro_type, list):
        return _spark_type(next(branch for branch in avro_type if branch != "null"))
    if isinstance(avro_type, dict):
        logical = avro_type.get("logicalType")
        if logical == "decimal":
            return f"decimal({avro_type['precision']},{avro_type['scale']})"
        return SPARK_TYPE_BY_LOGICAL_TYPE.get(logical) or _spark_type(avro_type["type"])
    return SPARK_TYPE_BY_AVRO_TYPE.get(avro_type, avro_type)


def _time(instant: HudiInstant) -> datetime:
    return datetime.fromtimestamp(instant.epoch_mills / 1000, UTC)
