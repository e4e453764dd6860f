"""Files on their way into the raw zone: staged, committed through the checkpoint, renamed into place.

1. Staged files are flushed to disk. 2. The checkpoint that names them replaces the last one: the
commit. 3. The files are renamed into place. 4. The slot is told (by the caller). A crash after any
of these steps is mended by `recover`.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from autocorp_assets.contracts.raw_format import LOAD_FILE, LOAD_MANIFESTS, RAW_DATABASE, SEQUENCE, table_prefix
from autocorp_assets.local import durable
from autocorp_assets.local.replicator.checkpoint import Checkpoint, Rename
from autocorp_assets.local.replicator.status import LOCK

STAGING = f"{RAW_DATABASE}/_staging"
_MANIFEST_FILE = re.compile(r"(\d{6})\.json")


class RawFileMissingError(Exception):
    """A committed file is neither staged nor in place: somebody removed it."""


class StagedFile:
    """A Parquet file that grows by row groups, and is durable once closed."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        # Sequences never repeat: a dictionary of them only costs.
        repeating = [name for name in schema.names if name != SEQUENCE]
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating)
        self.rows = 0

    def append(self, rows: pa.RecordBatch | pa.Table) -> None:
        self._writer.write(rows)
        self.rows += rows.num_rows

    def close(self) -> None:
        """End the file and flush it to disk; its name is durable only with the commit."""
        self._writer.close()
        durable.fsync(self._path)


class RawZone:
    """The lake's raw database zone, as the one replicator that holds its staging folder sees it."""

    def __init__(self, *, lake: Path, state: Path) -> None:
        self.lake = lake
        self.state = state
        self._staging = lake / STAGING
        # Never a name that the last checkpoint may still list: a part of a file would take its place.
        self._session = uuid.uuid4().hex
        self._staged = 0

    def recover(self, renames: tuple[Rename, ...]) -> None:
        """Finish the renames that were committed, remove what was not.

        Raises:
            RawFileMissingError: a committed file is gone.
        """
        self._put_in_place(renames)
        for stray in self._staging.iterdir():
            if stray.name != LOCK:
                stray.unlink()

    def stage(self, schema: pa.Schema) -> tuple[str, StagedFile]:
        """A new staged file and its path relative to the lake."""
        staged = self._next_staged(".parquet")
        return staged, StagedFile(self.lake / staged, schema)

    def stage_manifest(self, content: dict[str, Any]) -> Rename:
        """A load manifest, to be committed after the files that it names."""
        staged = self._next_staged(".json")
        durable.write_json(self.lake / staged, content)
        return Rename(staged, manifest_path(content["generation"]))

    def commit(self, checkpoint: Checkpoint) -> None:
        """Make the checkpoint the last one, and its files visible in their order."""
        if checkpoint.renames:
            durable.fsync(self._staging)
        checkpoint.write(self.state)
        self._put_in_place(checkpoint.renames)

    def last_generation(self) -> int:
        """Greatest load generation that the lake has a manifest of, 0 without any."""
        folder = self.lake / LOAD_MANIFESTS
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return max((int(match[1]) for name in names if (match := _MANIFEST_FILE.fullmatch(name))), default=0)

    def last_load_file(self, table: str) -> int:
        """Greatest number of a LOAD file that the table has, 0 without any."""
        folder = self.lake / table_prefix(table)
        names = [path.name for path in folder.glob("LOAD*")]
        return max((int(name[4:12], 16) for name in names if LOAD_FILE.fullmatch(name)), default=0)

    def has_manifest(self, generation: int) -> bool:
        return (self.lake / manifest_path(generation)).is_file()

    def _next_staged(self, suffix: str) -> str:
        self._staged += 1
        return f"{STAGING}/{self._session}-{self._staged:06d}{suffix}"

    def _put_in_place(self, renames: tuple[Rename, ...]) -> None:
        for rename in renames:
            staged, final = self.lake / rename.staged, self.lake / rename.final
            if staged.exists():
                durable.make_folder(final.parent)
                staged.replace(final)
            elif not final.exists():
                msg = f"{rename.final} was committed to raw, and is gone"
                raise RawFileMissingError(msg)
        for folder in {(self.lake / rename.final).parent for rename in renames}:
            durable.fsync(folder)


def manifest_path(generation: int) -> str:
    """Where the manifest of a load generation lies, relative to the lake's root."""
    return f"{LOAD_MANIFESTS}/{generation:06d}.json"


def manifest(
    *, generation: int, start_sequence: str, started_at: str, completed_at: str, files: dict[str, tuple[int, list[str]]]
) -> dict[str, Any]:
    """Content of a load manifest; `files` gives rows and LOAD files by table."""
    tables = {table: {"rows": rows, "files": names} for table, (rows, names) in files.items()}
    return {
        "generation": generation,
        "start_sequence": start_sequence,
        "started_at": started_at,
        "completed_at": completed_at,
        "tables": tables,
    }
