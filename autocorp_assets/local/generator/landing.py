"""How an export lands: a file appears under its name when it is whole, and its truth lies beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import polars as pl

MANIFESTS = "_manifest"
"""Sub-folder of the landing folder; not a delivery."""


@dataclass(frozen=True, kw_only=True)
class FileManifest:
    """What a file holds, and what the platform must make of it.

    rows = applied + quarantined + duplicates + superseded. Kinds of dirt lie on different rows, so
    that each count is exact; a kind of no rows is not listed.
    """

    file: str
    rows: int
    applied: int
    """Rows that reach the curated table, the repaired ones among them."""
    dirt: Mapping[str, int]
    """Rows of each kind, whatever becomes of them."""
    quarantined: Mapping[str, int]
    repaired: Mapping[str, int]
    duplicates: int
    """Rows that repeat an earlier one in full."""
    superseded: int
    """Earlier rows of a key that comes again with other content."""

    @property
    def feed(self) -> str:
        return self.file.rpartition("-")[0]

    def write(self, folder: Path) -> Path:
        """Write `_manifest/<file>.json` below `folder`."""
        (folder / MANIFESTS).mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1)
        return _appear(folder / MANIFESTS / f"{self.file}.json", lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def read(cls, folder: Path, file: str) -> Self:
        """The manifest of a file in the landing folder.

        Raises:
            FileNotFoundError: the file was not written by the generator.
        """
        return cls(**json.loads((folder / MANIFESTS / f"{file}.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class ExportManifest:
    """The files that one export wrote."""

    files: tuple[FileManifest, ...]

    def __getitem__(self, feed: str) -> FileManifest:
        """The manifest of a feed's file.

        Raises:
            KeyError: the export has no file of that feed.
        """
        for manifest in self.files:
            if manifest.feed == feed:
                return manifest
        raise KeyError(feed)


def land(frame: pl.DataFrame, folder: Path, manifest: FileManifest) -> Path:
    """Write a CSV file and, before it, its manifest; an older file of the same name is replaced."""
    manifest.write(folder)
    return _appear(folder / manifest.file, frame.write_csv)


def _appear(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a hidden file, then rename it; nobody sees a part of it, not even after a power cut."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(hidden)
        with hidden.open("rb") as file:
            os.fsync(file.fileno())
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path
