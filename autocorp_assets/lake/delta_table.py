"""Versions of a Delta table through delta-rs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow.fs import FileType

from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.versions import CommitInfo, Head, Snapshot, TableNotReadable
from spark_jobs.checkpoint import from_delta_user_metadata

HARMLESS_READER_FEATURES = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "typeWidening"})
"""Reader features under which the Parquet files alone still hold exactly the table's rows and names."""


def read_snapshot(uri: str, table: str, as_of: datetime | None) -> Snapshot | None:
    delta = _open(uri)
    if delta is None:
        return None
    if as_of is not None:
        version = _version_at(delta, table, as_of)
        if version is None:
            return None
        delta = DeltaTable(uri, version=version)
    _refuse_unreadable(delta, table)
    head = _head(delta)
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
        columns={column.name: _spark_type(column.type) for column in delta.schema().fields},
    )


def read_head(uri: str, table: str) -> Head | None:
    delta = _open(uri)
    if delta is None:
        return None
    _refuse_unreadable(delta, table)
    return _head(delta)


def read_commits(uri: str, limit: int) -> list[CommitInfo]:
    delta = _open(uri)
    return [] if delta is None else [_info(commit) for commit in delta.history(limit)]


def _open(uri: str) -> DeltaTable | None:
    return DeltaTable(uri) if DeltaTable.is_deltatable(uri) else None


def _version_at(delta: DeltaTable, table: str, as_of: datetime) -> int | None:
    """The newest version that is not later than `as_of`.

    The commit's own time counts. delta-rs would go by the log files' modification times, which a copy
    of the lake changes, and give version 0 for any time before it.
    """
    history = delta.history()
    version = next((commit["version"] for commit in history if _time(commit) <= as_of), None)
    if version is None and history[-1]["version"] > 0:
        message = f"{table}: history is kept from {_time(history[-1]):%Y-%m-%d %H:%M:%S} UTC on"
        raise TableNotReadable(message)
    return version


def _head(delta: DeltaTable) -> Head:
    history = _history(delta)
    newest = next(history)
    carried = (from_delta_user_metadata(commit.get("userMetadata")) for commit in chain((newest,), history))
    return Head(
        commit=str(newest["version"]),
        committed_at=_time(newest),
        # Of the newest commit that carries one; an OPTIMIZE by hand has none.
        checkpoint=next(filter(None, carried), None),
    )


def _history(delta: DeltaTable) -> Iterator[dict[str, Any]]:
    """Commits up to the version that was opened, newest first; delta-rs gives those after it as well.

    The newest is read alone, since it is mostly all that is asked for.
    """
    version = delta.version()
    (newest,) = delta.history(1)
    if newest["version"] == version:
        yield newest
        version -= 1
    yield from (commit for commit in delta.history() if commit["version"] <= version)


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
    return datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)


def _spark_type(delta_type: Any) -> str:
    """Spark SQL's name of a Delta type; the two differ for whole numbers only."""
    name = str(getattr(delta_type, "type", delta_type))
    return {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}.get(name, name)
