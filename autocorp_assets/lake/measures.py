"""Sizes and ages of files of the lake, wherever it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.storage import LakeStorage

FILES_ASKED = 100
"""In S3 each is a request; the paths of a table sort by time, so the oldest are among the first."""


def row_count(files: Iterable[str]) -> int:
    """Rows of Parquet files (absolute paths or URLs), by their footers."""
    import pyarrow.parquet as pq

    total = 0
    for file in files:
        file_system, path = open_file_system(file)
        total += pq.read_metadata(path, filesystem=file_system).num_rows
    return total


def oldest_written(lake: LakeStorage, paths: Sequence[str]) -> datetime | None:
    """When the oldest of some raw files was written, as far as the first of them by path tell; None without one.

    Args:
        lake: the lake.
        paths: relative to its root. Files that are gone do not count.
    """
    if not paths:
        return None
    file_system, root = open_file_system(lake.root)
    found = file_system.get_file_info([f"{root}/{path}" for path in sorted(paths)[:FILES_ASKED]])
    return min((info.mtime.astimezone(UTC) for info in found if info.is_file), default=None)
