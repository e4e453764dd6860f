"""Load manifests for what DMS has loaded: which LOAD files belong to a load, and since when changes are newer.

What a reload leaves on S3 is not documented: it may write over LOAD files of the same names, and leave files of an
earlier, longer load beside them. So a load is recognised by its content: files written while it went on, whose
rows are as many as DMS says that it has loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from autocorp_assets.contracts.raw_format import LOAD_FILE, LOAD_MANIFESTS, SEQUENCE_DIGITS, table_prefix
from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.aws.dms_task import LoadTime, TableStatistics
from autocorp_assets.resources.ports.replication import ReplicationError

CLOCK_SLACK = timedelta(seconds=60)
"""Between the clocks of DMS and of S3."""
START_SLACK = timedelta(minutes=15)
"""How long before a load's start changes count as newer than it: longer than the ten minutes for which DMS waits for
open transactions before it loads (TransactionConsistencyTimeout), should a sequence tell the time of a statement and
not of its commit. To apply a change once more that a load holds already changes nothing in the end; to leave one out
loses it. The price: a row inserted and removed by a TRUNCATE, which DMS does not tell of, within that time before the
load that was to mend it, comes back, and reconciliation names it."""
ROOT_ONLY = "99991231"
"""As the first day to list, it keeps a listing to files outside of dated folders."""
LOADS = "loads"
"""Key of a manifest: by table, which of DMS's loads it records."""
WRITE_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class LoadFile:
    """A LOAD file as S3 and its footer show it."""

    name: str
    modified: datetime
    rows: int


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a look at the loads came to."""

    tables: tuple[str, ...] = ()
    """Whose loads are in a manifest since."""
    waiting: Mapping[str, str] = field(default_factory=dict)
    """By table, why its complete load is in none yet."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """By table, which of its LOAD files cannot be read, why, and what to do."""


def files_of_load(files: Iterable[LoadFile], *, load: LoadTime, rows: int) -> tuple[str, ...] | None:
    """The files that hold exactly the load, None while no choice of them does.

    Tried in turn: those written while it went on by both clocks alike; those of the same time, give or take the
    difference of the clocks; the first of these by name, since a load numbers its files from 1.
    """
    if rows == 0:
        return ()
    ordered = sorted(files, key=lambda file: file.name)
    # S3's times are whole seconds.
    exact = [f for f in ordered if load.start.replace(microsecond=0) <= f.modified <= load.end + CLOCK_SLACK]
    near = [f for f in ordered if load.start - CLOCK_SLACK <= f.modified <= load.end + CLOCK_SLACK]
    for choice in (exact, near, *(near[:count] for count in range(1, len(near)))):
        if sum(file.rows for file in choice) == rows:
            return tuple(file.name for file in choice)
    return None


def start_sequence(start: datetime) -> str:
    """Least `dms_change_seq` of a change that counts as newer than a load begun then."""
    time = f"{start - START_SLACK:%Y%m%d%H%M%S%f}"[:16]
    return time.ljust(SEQUENCE_DIGITS, "0")


@dataclass(frozen=True, kw_only=True)
class LoadRecorder:
    """Writes manifests into the lake; remembers those that it has seen, since they never change."""

    lake: str
    """`s3://…`"""
    _recorded: set[tuple[str, LoadTime]] = field(default_factory=set, compare=False)

    def record(self, statistics: Mapping[str, TableStatistics]) -> Recorded:
        """One manifest for all complete loads that have none. Without any such, nothing is asked of S3.

        Raises:
            ReplicationError: the lake cannot be read or written.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        complete = {name: (one, one.load) for name, one in statistics.items() if one.is_loaded and one.load}
        try:
            for _ in range(WRITE_ATTEMPTS):
                new = self._new(complete)
                if not new:
                    return Recorded()
                generation = 1 + self._read_manifests(min(load.end for _, load in new.values()))
                new = self._new(complete)
                found, unreadable = self._find(new)
                waiting = {name: files for name, files in found.items() if isinstance(files, str)}
                ready = {name: (*new[name], files) for name, files in found.items() if not isinstance(files, str)}
                if not ready or self._write(generation, ready):
                    return Recorded(tables=tuple(ready), waiting=waiting, unreadable=unreadable)
        except (ClientError, BotoCoreError) as error:
            message = f"load manifests below {self.lake}/{LOAD_MANIFESTS}: {explain(error)}"
            raise ReplicationError(message) from error
        return Recorded(waiting=dict.fromkeys(self._new(complete), "others write manifests at the same time"))

    def _new(self, complete: Mapping[str, tuple[TableStatistics, LoadTime]]) -> dict[str, tuple[Any, LoadTime]]:
        return {name: (one, load) for name, (one, load) in complete.items() if (name, load) not in self._recorded}

    def _find(
        self, new: Mapping[str, tuple[TableStatistics, LoadTime]]
    ) -> tuple[dict[str, tuple[str, ...] | str], dict[str, str]]:
        """By table, its load's files or why they cannot be told yet; and of which they cannot be read."""
        found: dict[str, tuple[str, ...] | str] = {}
        unreadable: dict[str, str] = {}
        for name, (statistics, load) in new.items():
            try:
                found[name] = self._files(name, statistics, load)
            except (OSError, ValueError) as error:
                unreadable[name] = (
                    f"a LOAD file below {self.lake}/{table_prefix(name)} cannot be read ({error}): restore the object "
                    f"from its former version, or `autocorp reload {name}`"
                )
        return found, unreadable

    def _files(self, table: str, statistics: TableStatistics, load: LoadTime) -> tuple[str, ...] | str:
        """Names of the load's files, or why they cannot be told yet."""
        rows = statistics.counters.full_load_rows
        files = self._load_files(table, load)
        chosen = files_of_load(files, load=load, rows=rows)
        if chosen is not None:
            return chosen
        held = ", ".join(f"{file.name} {file.rows:,}" for file in files) or "there are none"
        return f"DMS says that it loaded {rows:,} rows, which its LOAD files of that time do not hold ({held})"

    def _load_files(self, table: str, load: LoadTime) -> list[LoadFile]:
        from pyarrow.parquet import ParquetFile

        file_system, root = open_file_system(self.lake)
        found = []
        for file in LakeStorage(self.lake).raw_files(table_prefix(table), since_day=ROOT_ONLY):
            if not LOAD_FILE.fullmatch(file.name) or file.modified < load.start - CLOCK_SLACK:
                continue
            try:
                with file_system.open_input_file(f"{root}/{file.path}") as stream, ParquetFile(stream) as parquet:
                    rows = parquet.metadata.num_rows
            except ValueError as error:  # pyarrow's words do not name the file
                raise ValueError(f"{file.name}: {error}") from error
            found.append(LoadFile(name=file.name, modified=file.modified, rows=rows))
        return found

    @cached_property
    def _place(self) -> tuple[str, str]:
        """Bucket, and prefix of the manifests in it."""
        parts = urlsplit(self.lake)
        return parts.netloc, f"{parts.path.strip('/')}/{LOAD_MANIFESTS}/".lstrip("/")

    def _read_manifests(self, since: datetime) -> int:
        """The last generation; learns which loads are recorded in manifests written `since`."""
        bucket, prefix = self._place
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        numbers = {int(name): key for key in keys if (name := key.removeprefix(prefix)[:-5]).isdecimal()}
        for _, key in sorted(numbers.items(), reverse=True):
            body = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            try:
                content = json.loads(body)
                completed = datetime.fromisoformat(content["completed_at"])
                self._remember(content.get(LOADS, {}))
            except (ValueError, KeyError, TypeError):
                continue  # its loads are recorded once more, which makes it dispensable
            if completed < since:
                break
        return max(numbers, default=0)

    def _remember(self, loads: Mapping[str, Mapping[str, str]]) -> None:
        for table, times in loads.items():
            load = LoadTime(start=datetime.fromisoformat(times["start"]), end=datetime.fromisoformat(times["end"]))
            self._recorded.add((table, load))

    def _write(self, generation: int, ready: Mapping[str, tuple[TableStatistics, LoadTime, Sequence[str]]]) -> bool:
        """Whether it was written; not where somebody else has taken the generation meanwhile."""
        from botocore.exceptions import ClientError

        bucket, prefix = self._place
        content = manifest(generation, ready, now=datetime.now(UTC))
        try:
            client("s3").put_object(
                Bucket=bucket,
                Key=f"{prefix}{generation:06d}.json",
                Body=json.dumps(content).encode(),
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}:
                return False
            raise
        self._remember(content[LOADS])
        return True


def manifest(
    generation: int, ready: Mapping[str, tuple[TableStatistics, LoadTime, Sequence[str]]], *, now: datetime
) -> dict[str, Any]:
    """The replicator's manifest, and which of DMS's loads it records."""
    start = min(load.start for _, load, _ in ready.values())
    return {
        "generation": generation,
        "start_sequence": start_sequence(start),
        # Readers look from there on for changes that are newer than the load.
        "started_at": _text(start - START_SLACK),
        "completed_at": _text(now),
        "tables": {
            name: {"rows": one.counters.full_load_rows, "files": list(files)} for name, (one, _, files) in ready.items()
        },
        LOADS: {name: {"start": _text(load.start), "end": _text(load.end)} for name, (_, load, _) in ready.items()},
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
