"""Every version of a row that raw holds, in the order of change, found by scanning raw: there is no index."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from autocorp_assets.contracts import raw_format
from autocorp_assets.contracts.model import Column, CsvFeed, KeyForm, SourceSystem, TableContract
from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.raw_rows import RawRow, csv_rows, parquet_rows
from autocorp_assets.lake.snapshots import read_head
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.lake.table_files import TableFile, table_files
from spark_jobs.change_seq import csv_change_seq, database_change_seq
from spark_jobs.plan import FileKind, LoadManifest

READERS = 8
"""Files read at once."""
_OPERATIONS = {"I": "insert", "U": "update", "D": "delete"}
_STILL_THERE = datetime.max.replace(tzinfo=UTC)
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A row of raw: one state of a record, or its end."""

    record_key: str
    """In the lake's form; of a table with one system the primary key."""
    system: SourceSystem
    operation: str
    """`load`, `insert`, `update`, `delete` or `delivery`."""
    at: datetime | None
    """When the source committed it (UTC); of a delivery the date in its name."""
    file: str
    """Relative to the lake's root."""
    position: int
    """Ordinal in the file: of CSV rows from 1, of Parquet rows from 0."""
    change_seq: str | None
    """None for a delivery of which the table does not (or no longer) know the arrival."""
    values: Mapping[str, Any]
    """By the table's column; also columns that the contract does not name. Without what the change did not carry."""
    unchanged: tuple[str, ...] = ()
    """Columns that the change left out, because it did not touch their large value."""
    is_kept_aside: bool = False
    """Content of a delivery that a corrected file of the same name has replaced."""
    order: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class SoughtKey:
    """What an operator's key may stand for in each system."""

    primary_key: str | None = None
    """In the database; None when only exported rows are meant."""
    exported: str | None = None
    """In the exports, as their key form makes it comparable; None when only the database's row is meant."""
    line: int | None = None
    """Only this line of an order."""

    def record_keys(self, contract: TableContract) -> list[str]:
        """Record keys of the rows that may be meant; of all lines of an order a common beginning, ending in `:`."""
        if not contract.has_two_systems:
            return [self.primary_key] if self.primary_key else []
        keys = [f"{SourceSystem.DATABASE}:{self.primary_key}"] if self.primary_key else []
        if self.exported is not None and contract.csv_feed:
            beginning = f"{SourceSystem.CSV}:{self.exported}"
            is_line = contract.csv_feed.key_form is KeyForm.LINE
            keys.append(f"{beginning}:{self.line or ''}" if is_line else beginning)
        return keys


@dataclass(frozen=True, kw_only=True)
class RawHistory:
    """What raw says of a key."""

    versions: tuple[Version, ...]
    """By record, oldest first."""
    unreadable: Mapping[str, str]
    """Files that could not be searched, and why."""


def sought_key(contract: TableContract, text: str) -> SoughtKey:
    """The key that an operator gives: a primary key, a feed's key, or a record key such as `db:12`."""
    feed = contract.csv_feed
    if feed is None:
        return SoughtKey(primary_key=text)
    system, _, rest = text.partition(":")
    if system == SourceSystem.DATABASE and rest:
        return SoughtKey(primary_key=rest)
    if system == SourceSystem.CSV and rest:
        key, _, line = rest.partition(":") if feed.key_form is KeyForm.LINE else (rest, "", "")
        return SoughtKey(exported=exported_key(contract, feed, key), line=int(line) if line.isdigit() else None)
    return SoughtKey(primary_key=text, exported=exported_key(contract, feed, text))


def exported_key(contract: TableContract, feed: CsvFeed, text: str | None) -> str | None:
    """A key cell as it stands in the record key, without number of line; None when it names nothing."""
    trimmed = (text or "").strip(raw_format.BLANKS)
    if feed.key_form is KeyForm.HASHED:
        folded = trimmed.lower()
        if _HASH.fullmatch(folded):
            return folded
        return hashlib.sha256(folded.encode()).hexdigest() if folded else None
    column = contract.column_by_name[feed.table_column[feed.key[0]]]
    if column.type != "int":
        return trimmed or None
    number = number_of(trimmed)
    return None if number is None or number != int(number) else str(int(number))


def number_of(text: str) -> Decimal | None:
    """A cell's number, which may have thousands commas and a leading $; None when it is none."""
    plain = text.replace(",", "") if re.fullmatch(raw_format.GROUPED_NUMBER, text, re.ASCII) else text
    plain = re.sub(r"^([+-]?)\$", r"\1", plain)
    return Decimal(plain) if re.fullmatch(raw_format.NUMBER, plain, re.ASCII) else None


def raw_history(lake: LakeStorage, contract: TableContract, key: SoughtKey) -> RawHistory:
    """All versions of a key in raw. Costs a scan of the table's raw files, in the memory of a few row groups."""
    unreadable: dict[str, str] = {}
    files = table_files(lake, contract)
    found: list[Version] = []
    if key.primary_key is not None:
        database = [file for file in files if file.kind is not FileKind.CSV]
        found += _database_versions(lake, contract, key.primary_key, database, unreadable)
    if key.exported is not None:
        found += _csv_versions(lake, contract, key, [file for file in files if file.kind is FileKind.CSV], unreadable)
    found.sort(key=lambda version: (version.system != SourceSystem.DATABASE, version.record_key, version.order))
    return RawHistory(versions=tuple(found), unreadable=unreadable)


def _database_versions(
    lake: LakeStorage, contract: TableContract, key: str, files: Iterable[TableFile], unreadable: dict[str, str]
) -> Iterator[Version]:
    import pyarrow as pa

    file_system, root = open_file_system(lake.root)
    loads = lake.loads(contract.name)

    def versions(file: TableFile) -> list[Version]:
        try:
            rows = list(parquet_rows(file_system, f"{root}/{file.path}", contract.primary_key, key))
        except (OSError, pa.ArrowInvalid) as error:
            unreadable[file.path] = f"not a whole Parquet file ({error})"
            return []
        return [_database_version(contract, file, row, loads) for row in rows]

    with ThreadPoolExecutor(READERS) as pool:
        for found in pool.map(versions, files):
            yield from found


def _database_version(contract: TableContract, file: TableFile, row: RawRow, loads: Iterable[LoadManifest]) -> Version:
    cells = dict(row.cells)
    operation = _OPERATIONS.get(cells.get(raw_format.OP) or "I", str(cells.get(raw_format.OP)))
    sequence = cells.get(raw_format.SEQUENCE) or raw_format.LOAD_SEQUENCE
    generation = file.generation or max(
        (load.generation for load in loads if load.start_sequence <= sequence), default=0
    )
    said = _extension(cells.get(raw_format.EXTENSION))
    unchanged = tuple(said.get(raw_format.UNCHANGED, ()))
    values = {name: value for name, value in cells.items() if name not in {*raw_format.RAW_COLUMNS, *unchanged}}
    if operation == _OPERATIONS["D"]:
        # What else a delete carries depends on the source's REPLICA IDENTITY, and says nothing new.
        values = {contract.primary_key: values[contract.primary_key]}
    key = str(cells[contract.primary_key])
    change_seq = database_change_seq(generation, sequence, file.name, row.position)
    return Version(
        record_key=f"{SourceSystem.DATABASE}:{key}" if contract.has_two_systems else key,
        system=SourceSystem.DATABASE,
        operation="load" if file.kind is FileKind.LOAD else operation,
        at=_commit_time(cells.get(raw_format.COMMIT_TIME)),
        file=file.path,
        position=row.position,
        change_seq=change_seq,
        values={**values, **said.get(raw_format.LITERAL, {})},
        unchanged=unchanged,
        order=(change_seq,),
    )


def _extension(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}


def _commit_time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def _csv_versions(
    lake: LakeStorage,
    contract: TableContract,
    key: SoughtKey,
    files: Iterable[TableFile],
    unreadable: dict[str, str],
) -> Iterator[Version]:
    feed = contract.csv_feed
    if feed is None:
        return
    head = read_head(lake.root, contract)
    known = head.checkpoint.deliveries if head and head.checkpoint else {}
    for delivery in (*_kept_aside(lake, feed), *(_Content(path=f.path, day=f.day, etag=f.etag) for f in files)):
        applied = known.get(delivery.path.rsplit("/", 1)[-1])
        applied = applied if applied and applied.etag == delivery.etag else None
        if applied and applied.refused:
            unreadable[delivery.path] = f"refused as a whole: {applied.refused}"
            continue
        yield from _versions_in(lake, contract, key, delivery, applied.ordinal if applied else None)


@dataclass(frozen=True, kw_only=True)
class _Content:
    """What one file of a feed holds, or has held."""

    path: str
    day: str
    etag: str
    replaced: datetime | None = None
    """When the content that was kept aside had been brought; None for the current content of a name."""


def _kept_aside(lake: LakeStorage, feed: CsvFeed) -> Iterator[_Content]:
    for content in lake.kept_aside(feed):
        yield _Content(path=content.path, day=content.day, etag=content.etag, replaced=content.replaced)


def _versions_in(
    lake: LakeStorage, contract: TableContract, key: SoughtKey, delivery: _Content, ordinal: int | None
) -> Iterator[Version]:
    feed = contract.csv_feed
    if feed is None:
        return
    file_system, root = open_file_system(lake.root)

    def matches(cell: str | None) -> bool:
        return exported_key(contract, feed, cell) == key.exported

    for line, row in enumerate(csv_rows(file_system, f"{root}/{delivery.path}", feed.key[0], matches), 1):
        record_key = f"{SourceSystem.CSV}:{key.exported}"
        if feed.key_form is KeyForm.LINE:
            if key.line not in (None, line):
                continue
            record_key = f"{record_key}:{line}"
        yield Version(
            record_key=record_key,
            system=SourceSystem.CSV,
            operation="delivery",
            at=datetime.strptime(delivery.day, "%Y%m%d").replace(tzinfo=UTC),
            file=delivery.path,
            position=row.position,
            change_seq=csv_change_seq(delivery.day, ordinal, row.position) if ordinal else None,
            values={column: _cell(row.cells.get(name.casefold())) for name, column in feed.table_column.items()},
            is_kept_aside=delivery.replaced is not None,
            order=(delivery.day, delivery.replaced or _STILL_THERE, row.position),
        )


def _cell(text: str | None) -> str | None:
    return (text or "").strip(raw_format.BLANKS) or None


def is_same(column: Column | None, left: Any, right: Any) -> bool:
    """Whether two cells say the same: numbers by value, whatever their digits look like."""
    if left == right or column is None or left is None or right is None:
        return left == right
    numbers = number_of(str(left)), number_of(str(right))
    return column.type not in {"string", "date", "timestamp"} and None not in numbers and numbers[0] == numbers[1]
