"""Whether a table lies in files of sizes that readers and writers can live with; pure, from a version's listing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

MIB = 1024**2
SMALL_BYTES = 16 * MIB
"""Opening a smaller file takes a reader longer than reading it (S3: some 50 ms, and a request)."""
LARGE_BYTES = 1024 * MIB
"""A change of one row writes its whole file anew: of this size for about a minute."""
NEEDLESS_LIMIT = 100
"""Needless small files cost some seconds a query by then. A table that grows by changes has a few."""


@dataclass(frozen=True, kw_only=True)
class FileSizes:
    """The data files of one version of a table. Sizes are bytes."""

    files: int
    folders: int
    total: int
    median: int
    largest: int
    small: int
    """Files below SMALL_BYTES."""
    needless: int
    """Small files but one a folder: a small partition, or the end of a large one, is a small file."""
    large: int
    """Files above LARGE_BYTES."""

    @property
    def small_share(self) -> float:
        return self.small / self.files if self.files else 0.0

    @property
    def is_fine(self) -> bool:
        return self.needless <= NEEDLESS_LIMIT and not self.large


def file_sizes(sizes: Mapping[str, int]) -> FileSizes:
    """What the listing says.

    Args:
        sizes: bytes by path.
    """
    folders = Counter(path.rpartition("/")[0] for path, size in sizes.items() if size < SMALL_BYTES)
    return FileSizes(
        files=len(sizes),
        folders=len({path.rpartition("/")[0] for path in sizes}),
        total=sum(sizes.values()),
        median=round(median(sizes.values())) if sizes else 0,
        largest=max(sizes.values(), default=0),
        small=sum(folders.values()),
        needless=sum(count - 1 for count in folders.values()),
        large=sum(size > LARGE_BYTES for size in sizes.values()),
    )
