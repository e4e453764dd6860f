"""Why a row of the lake may differ from the source's: a change not yet applied, or one kept in quarantine."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts.model import SourceSystem, TableContract
from autocorp_assets.contracts.raw_format import RAW_DATABASE, SEQUENCE, table_prefix
from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.reconciliation.keys import Key
from spark_jobs.look_back import flushed_from
from spark_jobs.plan import FileKind, TablePlan

if TYPE_CHECKING:
    import pyarrow as pa

    from autocorp_assets.lake.quarantine import QuarantinedRow
    from autocorp_assets.lake.storage import LakeStorage
    from spark_jobs.plan import LoadManifest

BATCH_ROWS = 65_536


class RawFileNotReadable(ValueError):
    """A raw file is cut off, or is something else: what changes it holds cannot be told."""


def waiting_keys(lake: LakeStorage, contract: TableContract, plan: TablePlan, keys: Collection[Key]) -> dict[Key, str]:
    """Those of the keys that a pending raw file changes, and that file's path.

    Reads the key column of the pending change files. A pending load decides about every key of the table.

    Raises:
        RawFileNotReadable: a pending file cannot be read.
    """
    if plan.opens_generation:
        load = next((file.path for file in plan.files if file.kind is FileKind.LOAD), None)
        name = load or f"{table_prefix(contract.name)} (load {plan.next_generation}, without rows)"
        return dict.fromkeys(keys, name)
    # A replayed file was applied before; only keys of the late file that asks for it change.
    pending = [file.path for file in plan.database_files if not file.replay]
    found: dict[Key, str] = {}
    for path, key in _rows_of(lake, contract, pending, keys):
        found.setdefault(key, path)
    return found


def quarantined_keys(
    lake: LakeStorage, contract: TableContract, keys: Collection[Key], pending: Collection[str]
) -> dict[Key, QuarantinedRow]:
    """Those of the keys whose last change is kept in quarantine, and that change.

    An older one explains nothing: what came after it was applied. Reads keys and sequences of the change
    files from the quarantined changes on, if there are any of these keys.

    Args:
        lake: the lake.
        contract: the table.
        keys: of the database.
        pending: paths of raw files that the table has not taken in.

    Raises:
        RawFileNotReadable: a change file cannot be read.
    """
    loads = lake.loads(contract.name)
    last: dict[Key, _Kept] = {}
    for key, kept in _kept_out(lake, contract, keys, loads):
        last[key] = max(last.get(key, kept), kept, key=lambda one: one.order)
    if not last:
        return {}
    since = flushed_from(min(kept.sequence for kept in last.values()))
    changes = [
        f"{table_prefix(contract.name)}/{file.path}" for file in lake.change_files(contract.name) if file.name >= since
    ]
    newest: dict[Key, str] = {}
    for _, key, sequence in _rows_of(lake, contract, [path for path in changes if path not in pending], last, SEQUENCE):
        newest[key] = max(newest.get(key, ""), sequence or "")
    newest_load = max((load.start_sequence for load in loads), default="")
    return {
        key: kept.row
        for key, kept in last.items()
        if kept.sequence >= newest_load and kept.order >= (newest.get(key, ""), True)
    }


@dataclass(frozen=True, kw_only=True)
class _Kept:
    row: QuarantinedRow
    sequence: str
    is_load: bool
    """A LOAD row comes before every change since its load began; `sequence` is that beginning."""

    @property
    def order(self) -> tuple[str, bool]:
        return self.sequence, not self.is_load


def _kept_out(
    lake: LakeStorage, contract: TableContract, keys: Collection[Key], loads: Iterable[LoadManifest]
) -> Iterator[tuple[Key, _Kept]]:
    """Every quarantined change of these keys."""
    from autocorp_assets.lake.quarantine import Quarantine

    starts = {f"{table_prefix(contract.name)}/{name}": load.start_sequence for load in loads for name in load.files}
    prefix = f"{SourceSystem.DATABASE}:" if contract.has_two_systems else ""
    by_record = {f"{prefix}{key}": key for key in keys}
    by_text = {str(key): key for key in keys}
    quarantine = Quarantine(lake, contract)
    # A key that the lake's type cannot hold is in the row alone.
    for row in [*quarantine.rows(keys=list(by_record)), *quarantine.rows(reason=f"{contract.primary_key}: ")]:
        if not row.file.startswith(f"{RAW_DATABASE}/"):
            continue
        values = json.loads(row.row)
        text = str(values.get(contract.primary_key))
        key = by_record.get(row.record_key) if row.record_key else by_text.get(text)
        if key is not None:
            sequence = starts.get(row.file) or str(values.get(SEQUENCE, ""))
            yield key, _Kept(row=row, sequence=sequence, is_load=row.file in starts)


def _rows_of(
    lake: LakeStorage, contract: TableContract, paths: Iterable[str], keys: Collection[Key], *columns: str
) -> Iterator[tuple[Any, ...]]:
    """(path, key, columns…) of each raw row with one of the keys, batch by batch."""
    import pyarrow as pa
    from pyarrow.compute import SetLookupOptions, call_function

    is_number = contract.column_by_name[contract.primary_key].type == "int"
    wanted = pa.array(list(keys), pa.int64() if is_number else pa.string())
    for path in paths:
        try:
            for batch in _batches(lake, path, [contract.primary_key, *columns]):
                key = batch.column(0).cast(wanted.type)
                hits = call_function("is_in", [key], SetLookupOptions(wanted))
                found = [column.filter(hits).to_pylist() for column in (key, *batch.columns[1:])]
                yield from ((path, *row) for row in zip(*found, strict=True))
        except (OSError, pa.ArrowInvalid) as error:
            message = f"raw file {path} cannot be read ({error}): restore it, or move it away and reload the table"
            raise RawFileNotReadable(message) from error


def _batches(lake: LakeStorage, path: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Nothing for a file without these columns: such rows have no key, and change no record."""
    from pyarrow.parquet import ParquetFile

    file_system, root = open_file_system(lake.root)
    with file_system.open_input_file(f"{root}/{path}") as stream, ParquetFile(stream) as file:
        if set(columns) <= set(file.schema_arrow.names):
            yield from (batch.select(columns) for batch in file.iter_batches(BATCH_ROWS, columns=columns))
