"""What lies in the raw zone: load manifests, change files, whole CSV deliveries, and what is pending of them.

Everything goes through pyarrow's file systems, so a lake in a folder and one in S3 are read alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.contracts.model import CsvFeed
from autocorp_assets.contracts.raw_format import (
    CHANGE_FILE,
    LOAD_MANIFESTS,
    SUPERSEDED_DELIVERIES,
    TRANSFER_RECEIPTS,
    feed_prefix,
    table_prefix,
)
from autocorp_assets.lake.change_sequences import first_sequence
from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.load_manifests import MANIFEST_FIELDS, LoadManifests, generation_of
from autocorp_assets.lake.snapshots import Head, read_head
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.from_nothing import KeptAside
from spark_jobs.look_back import day_before
from spark_jobs.pending import earliest_day, pending, refold_from, unapplied
from spark_jobs.plan import ChangeFile, Delivery, LoadManifest, TablePlan

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

DATE_PART_DIGITS = (4, 2, 2)
"""Year, month, day."""
DATE_PART_NAMES = ("year=", "month=", "day=")
RECEIPT_FIELDS = ("size", "sha256")
Content = TypeVar("Content")
Place = TypeVar("Place")
READERS = 16
"""Small files read at once."""


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """A file of the raw zone."""

    path: str
    """Relative to the lake's root."""
    size: int
    """Bytes."""
    modified: datetime
    """UTC."""

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class LakeStorage:
    """The lake's files below `root`: a local path, or a URL that pyarrow.fs understands."""

    root: str | Path

    @cached_property
    def _place(self) -> tuple[FileSystem, str]:
        return open_file_system(self.root)

    def raw_files(self, prefix: str, *, since_day: str | None = None) -> list[RawFile]:
        """All files below a folder of the raw zone, by path; staging names are none, a missing folder has none.

        Args:
            prefix: relative to the lake's root, such as `raw_format.table_prefix("customers")`.
            since_day: YYYYMMDD. Folders of earlier dates are not listed, so that the cost is that of the
                recent days. Files outside of dated folders are always given.
        """
        return sorted(self._walk(prefix, date="", since_day=since_day), key=lambda file: file.path)

    def change_files(self, table: str, since_day: str | None = None) -> list[ChangeFile]:
        """The table's change files, whatever the layout of the folders."""
        prefix = table_prefix(table)
        return [
            ChangeFile(path=file.path.removeprefix(f"{prefix}/"), modified=file.modified)
            for file in self.raw_files(prefix, since_day=since_day)
            if CHANGE_FILE.fullmatch(file.name)
        ]

    def first_bytes(self, path: str, size: int) -> bytes:
        """The beginning of a file of the lake; all of a shorter one."""
        file_system, root = self._place
        with file_system.open_input_file(f"{root}/{path}") as stream:
            return stream.read(size)

    def oldest(self, paths: Sequence[str]) -> datetime | None:
        """When the oldest of these files was written (UTC); None without one. A request a file."""
        file_system, root = self._place
        found = file_system.get_file_info([f"{root}/{path}" for path in paths])
        return min((entry.mtime for entry in found if entry.is_file), default=None)

    def change_files_in(self, folder: str) -> list[RawFile]:
        """Change files that lie in this folder itself (relative to the lake's root): one listing."""
        return [file for file in self._list(folder) if CHANGE_FILE.fullmatch(file.name)]

    def load_manifests(self, *, after: int = 0) -> LoadManifests:
        """What all manifests say; those up to generation `after` are not read."""
        contents, unreadable = {}, {}
        # Their names are their generations, so that none is read for nothing.
        found = [(generation_of(file.name), file.path) for file in self._list(LOAD_MANIFESTS)]
        newer = [(generation, path) for generation, path in found if generation is not None and generation > after]
        for generation, read in _at_once(self._try_manifest, newer):
            if isinstance(read, str):
                unreadable[generation] = read
            else:
                contents[generation] = read
        return LoadManifests(contents=contents, unreadable=unreadable)

    def loads(self, table: str) -> list[LoadManifest]:
        """Complete loads that took in the table, oldest first.

        Raises:
            ValueError: a manifest that may concern the table cannot be read.
        """
        return self.load_manifests().of(table)

    def deliveries(self, feed: str) -> list[Delivery]:
        """The feed's CSV files that are whole: a receipt states the size that the file has.

        Raises:
            ValueError: a receipt cannot be read.
        """
        found = self._delivered(feed)
        read = _at_once(self._read_receipt, [receipt for _, receipt in found])
        wholes = (_delivery(feed, file, receipt) for (file, _), receipt in zip(found, read, strict=True))
        return [delivery for delivery in wholes if delivery is not None]

    def newest_delivery(self, feed: str) -> Delivery | None:
        """The whole delivery with the latest date; reads one receipt, unless that one is not whole."""
        for file, receipt in reversed(self._delivered(feed)):
            if delivery := _delivery(feed, file, self._read_receipt(receipt)):
                return delivery
        return None

    def kept_aside(self, feed: CsvFeed) -> list[KeptAside]:
        """Content of the feed's files that corrected ones have replaced, by path."""
        found = []
        for file in self.raw_files(f"{SUPERSEDED_DELIVERIES}/{feed.name}"):
            # In S3 the content's name may hold a hyphen itself.
            etag, _, date = file.name.rpartition(f"-{feed.name}-")
            name = f"{feed.name}-{date}"
            if match := feed.file_pattern().fullmatch(name):
                content = KeptAside(
                    path=file.path,
                    delivered_as=f"{feed_prefix(feed.name)}/{name}",
                    day=match[1],
                    etag=etag,
                    size=file.size,
                    replaced=file.modified,
                )
                found.append(content)
        return found

    def _delivered(self, feed: str) -> list[tuple[RawFile, str]]:
        """Exports with the path of their receipt, by date. Only of the folder itself: receipts know no folders."""
        receipts = {file.name: file.path for file in self._list(f"{TRANSFER_RECEIPTS}/{feed}")}
        return [
            (file, receipts[f"{file.name}.json"])
            for file in sorted(self._list(feed_prefix(feed)), key=_path)
            if FEEDS[feed].file_pattern().fullmatch(file.name) and f"{file.name}.json" in receipts
        ]

    def pending_plans(
        self,
        tables: Iterable[str],
        *,
        again: Mapping[str, Collection[str]] = MappingProxyType({}),
        on_unreadable: Callable[[str, str], None] | None = None,
    ) -> dict[str, TablePlan]:
        """For each table what a run would do to it; a plan may be empty.

        Costs a listing of the recent days of raw, one commit's metadata for each table and the footer of each
        new change file.

        Args:
            tables: names.
            again: by table, raw files (relative to the lake's root) that are to be judged once more.
            on_unreadable: told of each table with which something is wrong that its plan needs, and what; the table is
                left out then.

        Raises:
            ValueError: something that a table's plan needs cannot be read, and nobody is told.
        """
        manifests = self.load_manifests()
        plans: dict[str, TablePlan] = {}
        for table in tables:
            names = {path.rsplit("/", 1)[-1] for path in again.get(table, ())}
            try:
                head = read_head(self.root, TABLES[table])
                plans[table] = self._pending_plan(table, head, manifests.of(table), names)
            except (OSError, ValueError) as error:
                if on_unreadable is None:
                    raise
                on_unreadable(table, str(error))
        return plans

    def pending_after(self, table: str, head: Head | None) -> TablePlan:
        """What this version of the table has not taken in of what raw holds now."""
        return self._pending_plan(table, head, self.loads(table), ())

    def _pending_plan(
        self, table: str, head: Head | None, manifests: list[LoadManifest], again: Collection[str]
    ) -> TablePlan:
        if head is None and (lost := self._plan_of_lost(table)):
            return lost
        contract = TABLES[table]
        checkpoint = head.checkpoint if head else None
        listed_at = datetime.now(UTC)
        changes, first_sequences = self._changes(table, checkpoint or Checkpoint(), manifests, again)
        return pending(
            contract,
            commit=head.commit if head else None,
            checkpoint=checkpoint,
            manifests=manifests,
            changes=changes,
            deliveries=self.deliveries(contract.csv_feed.name) if contract.csv_feed else (),
            listed_at=listed_at,
            first_sequences=first_sequences,
            again=again,
        )

    def _plan_of_lost(self, table: str) -> TablePlan | None:
        from autocorp_assets.lake.rebuilding import plan_of_lost_table  # it reads the audit, which reads through us

        return plan_of_lost_table(self, table)

    def _changes(
        self, table: str, known: Checkpoint, manifests: list[LoadManifest], again: Collection[str]
    ) -> tuple[list[ChangeFile], dict[str, str]]:
        """Change files from as far back as the plan needs them, and the least sequence of the new ones."""
        if not manifests:
            return [], {}
        since = None if again else earliest_day(known, manifests)
        changes = self.change_files(table, since)
        new = unapplied(known, changes, again)
        firsts = self._first_sequences(table, new) if known.high_sequence else {}
        start = refold_from(known, manifests, new, firsts, again)
        if since is not None and start is not None and (day := day_before(start)) < since:
            changes = self.change_files(table, day)
        return changes, firsts

    def _first_sequences(self, table: str, files: Iterable[ChangeFile]) -> dict[str, str]:
        file_system, root = self._place
        found = {file.name: first_sequence(file_system, f"{root}/{table_prefix(table)}/{file.path}") for file in files}
        return {name: sequence for name, sequence in found.items() if sequence is not None}

    def _try_manifest(self, found: tuple[int, str]) -> tuple[int, dict[str, Any] | str]:
        """By its generation, or what is wrong with it."""
        generation, path = found
        try:
            return generation, self._read_json(path, fields=MANIFEST_FIELDS, remedy="restore it")
        except (OSError, ValueError) as error:
            return generation, str(error)

    def _read_receipt(self, path: str) -> dict[str, Any]:
        return self._read_json(path, fields=RECEIPT_FIELDS, remedy="restore it or remove it")

    def _read_json(self, path: str, *, fields: tuple[str, ...], remedy: str) -> dict[str, Any]:
        file_system, root = self._place
        with file_system.open_input_stream(f"{root}/{path}") as stream:
            content = stream.read()
        try:
            value = json.loads(content)
            return {name: value[name] for name in fields}
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path} is not a whole JSON object with {', '.join(fields)} ({error!r}): {remedy}"
            raise ValueError(message) from error

    def _walk(self, prefix: str, *, date: str, since_day: str | None) -> Iterator[RawFile]:
        """Files below a folder; `date` is what the names of the folders above say, digits of YYYYMMDD."""
        # Below a date that is later, or without a bound, one flat listing is cheaper than one for each folder.
        flat = since_day is None or date > since_day[: len(date)]
        for entry in self._entries(prefix, recursive=flat):
            if entry.is_file:
                yield RawFile(path=self._relative(entry), size=entry.size, modified=entry.mtime)
            elif not flat:
                below = _date_with(date, entry.base_name)
                if since_day is None or below >= since_day[: len(below)]:
                    yield from self._walk(self._relative(entry), date=below, since_day=since_day)

    def _list(self, prefix: str) -> list[RawFile]:
        """Files directly in a folder, also in one whose name starts with `_`."""
        return [
            RawFile(path=self._relative(entry), size=entry.size, modified=entry.mtime)
            for entry in self._entries(prefix, recursive=False)
            if entry.is_file
        ]

    def _entries(self, prefix: str, *, recursive: bool) -> list[FileInfo]:
        from pyarrow.fs import FileSelector

        file_system, root = self._place
        selector = FileSelector(f"{root}/{prefix}", allow_not_found=True, recursive=recursive)
        start = len(selector.base_dir) + 1
        return [entry for entry in file_system.get_file_info(selector) if not _is_staging(entry.path[start:])]

    def _relative(self, entry: FileInfo) -> str:
        return entry.path[len(self._place[1]) + 1 :]


def _at_once(read: Callable[[Place], Content], paths: Sequence[Place]) -> list[Content]:
    """In the order of the places; in S3 each costs a round trip, so that many are read at once."""
    if len(paths) < 2:
        return [read(path) for path in paths]
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(read, paths))


def _delivery(feed: str, file: RawFile, receipt: Mapping[str, Any]) -> Delivery | None:
    """None when the file is not what the receipt states."""
    match = FEEDS[feed].file_pattern().fullmatch(file.name)
    if match is None or receipt["size"] != file.size:
        return None
    return Delivery(path=file.path, name=file.name, day=match[1], etag=receipt["sha256"], size=file.size)


def _path(file: RawFile) -> str:
    return file.path


def _is_staging(path: str) -> bool:
    return any(part.startswith(("_", ".")) for part in path.split("/"))


def _date_with(date: str, folder: str) -> str:
    """The date so far and the part that one more folder adds; unchanged when the folder is no such part."""
    level = {0: 0, 4: 1, 6: 2}.get(len(date))
    if level is None:
        return date
    digits = folder.removeprefix(DATE_PART_NAMES[level])
    return date + digits if digits.isdecimal() and len(digits) == DATE_PART_DIGITS[level] else date
