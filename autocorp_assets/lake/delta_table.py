"""Versions of a Delta table through delta-rs."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from pyarrow.fs import FileSelector, FileType

from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.versions import CommitInfo, Head, Snapshot, TableNotReadable
from spark_jobs.checkpoint import from_delta_user_metadata

COMMIT_FILE = re.compile(r"\d{20}\.json")
NO_TIME = datetime.fromtimestamp(0, UTC)
"""Of a commit that the log no longer has."""
HARMLESS_READER_FEATURES = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "typeWidening"})
"""Reader features under which the Parquet files alone still hold exactly the table's rows and names."""


@dataclass(frozen=True)
class _Log:
    """A table's commits by version.

    Read from the log's files: delta-rs's history numbers them from the version that was opened
    downwards, even when newer ones are there.
    """

    uri: str

    def commit(self, version: int) -> dict[str, Any] | None:
        """What a commit says about itself; None when the log no longer has it."""
        file_system, folder = open_file_system(self.uri)
        try:
            with file_system.open_input_stream(f"{folder}/_delta_log/{version:020d}.json") as stream:
                actions = map(json.loads, stream.read().splitlines())
        except FileNotFoundError:
            return None
        info = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        return {**info, "version": version}

    def back_from(self, version: int) -> Iterator[dict[str, Any]]:
        """The commits up to a version, newest first."""
        while version >= 0 and (commit := self.commit(version)) is not None:
            yield commit
            version -= 1

    def time(self, version: int) -> datetime:
        commit = self.commit(version)
        return NO_TIME if commit is None else _time(commit)

    def oldest(self) -> int:
        file_system, folder = open_file_system(self.uri)
        names = (entry.base_name for entry in file_system.get_file_info(FileSelector(f"{folder}/_delta_log")))
        return min(int(name.removesuffix(".json")) for name in names if COMMIT_FILE.fullmatch(name))


def read_snapshot(uri: str, table: str, as_of: datetime | None) -> Snapshot | None:
    delta = _open_at(uri, table, as_of)
    if delta is None:
        return None
    _refuse_unreadable(delta, table)
    head = _head(uri, delta.version())
    actions = pa.table(delta.get_add_actions(flatten=True))
    # The log holds paths as URLs do, and so percent-encoded.
    names = [unquote(path) for path in actions["path"].to_pylist()]
    if as_of is not None:
        _refuse_vacuumed(uri, table, head, names)
    return Snapshot(
        table=table,
        commit=head.commit,
        committed_at=head.committed_at,
        checkpoint=head.checkpoint,
        files=tuple(f"{uri}/{name}" for name in names),
        file_sizes=tuple(actions["size_bytes"].to_pylist()),
        columns=_columns(delta),
    )


def read_columns(uri: str, table: str, as_of: datetime | None) -> dict[str, str] | None:
    delta = _open_at(uri, table, as_of)
    return None if delta is None else _columns(delta)


def read_head(uri: str, table: str) -> Head | None:
    delta = _open(uri)
    if delta is None:
        return None
    _refuse_unreadable(delta, table)
    return _head(uri, delta.version())


def read_commits(uri: str, limit: int) -> list[CommitInfo]:
    delta = _open(uri)
    return [] if delta is None else [_info(commit) for commit in islice(_Log(uri).back_from(delta.version()), limit)]


def _open(uri: str) -> DeltaTable | None:
    # Not `is_deltatable`, which asks S3 the same once more, and holds the GIL while it waits for the answer.
    try:
        return DeltaTable(uri)
    except TableNotFoundError:
        return None


def _open_at(uri: str, table: str, as_of: datetime | None) -> DeltaTable | None:
    delta = _open(uri)
    if delta is None or as_of is None:
        return delta
    version = _version_at(uri, delta.version(), table, as_of)
    return None if version is None else DeltaTable(uri, version=version)


def _columns(delta: DeltaTable) -> dict[str, str]:
    return {column.name: _spark_type(column.type) for column in delta.schema().fields}


def _version_at(uri: str, newest: int, table: str, as_of: datetime) -> int | None:
    """The newest version that is not later than `as_of`.

    The commit's own time counts. delta-rs would go by the log files' modification times, which a copy
    of the lake changes, and give version 0 for any time before it.
    """
    log = _Log(uri)
    oldest = log.oldest()
    later = bisect_right(range(oldest, newest + 1), as_of, key=log.time)
    if later == 0 and oldest > 0:
        message = f"{table}: history is kept from {log.time(oldest):%Y-%m-%d %H:%M:%S} UTC on"
        raise TableNotReadable(message)
    return oldest + later - 1 if later else None


def _head(uri: str, version: int) -> Head:
    log = _Log(uri)
    # A commit by hand, such as an OPTIMIZE, carries no checkpoint: the one before it holds.
    carried = (from_delta_user_metadata(commit.get("userMetadata")) for commit in log.back_from(version))
    return Head(commit=str(version), committed_at=log.time(version), checkpoint=next(filter(None, carried), None))


def _refuse_unreadable(delta: DeltaTable, table: str) -> None:
    protocol = delta.protocol()
    features = set(protocol.reader_features or ()) - HARMLESS_READER_FEATURES
    if protocol.min_reader_version == 2:
        features.add("columnMapping")
    if features:
        message = (
            f"{table}: the Delta table uses {', '.join(sorted(features))}, with which its Parquet files alone give "
            "wrong rows; switch it off (ALTER TABLE … SET TBLPROPERTIES, then REORG … APPLY (PURGE) and DROP FEATURE)"
        )
        raise TableNotReadable(message)


def _refuse_vacuumed(uri: str, table: str, head: Head, names: Sequence[str]) -> None:
    file_system, folder = open_file_system(uri)
    found = file_system.get_file_info([f"{folder}/{name}" for name in names])
    if any(info.type is FileType.NotFound for info in found):
        message = f"{table}: the version of {head.committed_at:%Y-%m-%d %H:%M:%S} UTC is no longer kept in full"
        raise TableNotReadable(message)


def _info(commit: dict[str, Any]) -> CommitInfo:
    return CommitInfo(
        commit=str(commit["version"]), committed_at=_time(commit), operation=commit.get("operation", "UNKNOWN")
    )


def _time(commit: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(commit.get("timestamp", 0) / 1000, UTC)


def _spark_type(delta_type: Any) -> str:
    """Spark SQL's name of a Delta type; the two differ for whole numbers only."""
    name = str(getattr(delta_type, "type", delta_type))
    return {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}.get(name, name)
