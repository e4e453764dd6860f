"""One consistent version of a curated table, read without Spark (hudi-rs, delta-rs).

A table that does not exist, has no completed commit yet, or none at the time asked for is None: a
first write that crashed leaves a folder behind and no table.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import ModuleType

from autocorp_assets.contracts.model import LakeFormat, TableContract
from autocorp_assets.lake.file_system import location
from autocorp_assets.lake.versions import CommitInfo, Head, Snapshot, TableNotReadable

__all__ = [
    "CommitInfo",
    "Head",
    "Snapshot",
    "TableNotReadable",
    "commits",
    "read_columns",
    "read_head",
    "read_snapshot",
]


def read_snapshot(root: str | Path, contract: TableContract, as_of: datetime | None = None) -> Snapshot | None:
    """The table as it is, or as it was at `as_of`.

    Args:
        root: of the lake; a local path or a URL.
        contract: the table.
        as_of: an aware time; the newest commit that is not later counts.

    Raises:
        TableNotReadable: files alone do not tell the rows (Delta deletion vectors, Hudi log files), or the
            history at that time is no longer kept.
    """
    return _reader(contract).read_snapshot(location(root, contract.lake_path), contract.name, as_of)


def read_head(root: str | Path, contract: TableContract) -> Head | None:
    """Newest commit and checkpoint of the table; cheaper than a snapshot, since it lists no data files."""
    return _reader(contract).read_head(location(root, contract.lake_path), contract.name)


def read_columns(root: str | Path, contract: TableContract, as_of: datetime | None = None) -> dict[str, str] | None:
    """The table's columns and types at a time, as `Snapshot.columns`; far cheaper than a snapshot: no data is listed.

    Raises:
        TableNotReadable: the history at that time is no longer kept.
    """
    return _reader(contract).read_columns(location(root, contract.lake_path), contract.name, as_of)


def commits(root: str | Path, contract: TableContract, limit: int) -> list[CommitInfo]:
    """The newest `limit` completed commits, newest first; empty for a table that does not exist."""
    return _reader(contract).read_commits(location(root, contract.lake_path), limit)


def _reader(contract: TableContract) -> ModuleType:
    if contract.format is LakeFormat.HUDI:
        from autocorp_assets.lake import hudi_table

        return hudi_table
    from autocorp_assets.lake import delta_table

    return delta_table
