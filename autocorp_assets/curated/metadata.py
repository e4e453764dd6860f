"""What Dagster shows of a curated table after a run; it plots the numbers over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.checks.curated import OUTCOMES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import QUARANTINE
from autocorp_assets.lake.file_system import location
from autocorp_assets.lake.row_count import count_rows
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table

if TYPE_CHECKING:
    from autocorp_assets.lake.snapshots import Snapshot

ROW_COUNTS = (
    "rows_read",
    "rows_applied",
    "rows_unchanged",
    "rows_superseded",
    "rows_duplicate",
    "rows_quarantined",
    "rows_repaired",
)
"""Of rows read, each is applied, unchanged, superseded, duplicate or quarantined; repaired ones count there too."""
FILES_LISTED = 50
JOB_LOG = "job_log"
QUALITY = "quality"
"""Share of the rows read that were not quarantined, 0 to 1."""


def size_metadata(snapshot: Snapshot) -> dict[str, Any]:
    """How large a version of a table is."""
    rows = count_rows(snapshot.files)
    return {
        **({} if rows is None else {"dagster/row_count": rows}),
        "bytes": snapshot.bytes,
        "data_files": len(snapshot.files),
    }


def quality_metadata(counts: Mapping[str, int]) -> dict[str, Any]:
    """The share of good rows; nothing where no row was read."""
    read = counts.get("rows_read", 0)
    return {QUALITY: 1 - counts.get("rows_quarantined", 0) / read} if read else {}


def quarantine_metadata(
    lake: LakeStorage, contract: TableContract, *, rows: int, revisions: Iterable[int]
) -> dict[str, Any]:
    """How to look at the rows that a run has kept out; nothing when it kept none out.

    Args:
        lake: the lake.
        contract: the table.
        rows: that the run has kept out.
        revisions: of the commits that the run made.
    """
    if not rows:
        return {}
    folders = [f"{QUARANTINE}/{contract.name}/batch={revision:08d}" for revision in revisions]
    written = [location(lake.root, folder) for folder in folders if lake.raw_files(folder)]
    return {
        "quarantined": dg.MetadataValue.md(
            f"{rows:,} rows were kept out. `autocorp quarantine show {contract.name}` shows them with their reasons, "
            f"`autocorp quarantine replay {contract.name}` judges them again."
        ),
        **{f"quarantine_batch_{number}": dg.MetadataValue.path(path) for number, path in enumerate(written, 1)},
    }


def unknown_columns_metadata(names: Iterable[str], stored: Mapping[str, str]) -> dict[str, Any]:
    """Columns of the run's files that the contract does not name; nothing when it names all.

    Args:
        names: of those columns.
        stored: columns of the table, and their types.
    """
    rows = [{"column": name, "type in the lake": stored.get(name, "not taken")} for name in names]
    return {"unknown_columns": records_table(rows, ("column", "type in the lake"))} if rows else {}


def seconds_metadata(reported: Mapping[str, float]) -> dict[str, float]:
    """The job's durations, as exact as they are true."""
    return {name: round(value, 3) for name, value in reported.items() if name.endswith("seconds")}


def files_metadata(files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What became of the rows of each raw file; the audit has all of them.

    A column that says nothing of any file is left out: with all of them the page is wider than a screen.
    """
    listed = [{**file, "repairs": _told(file.get("repairs") or {})} for file in files[:FILES_LISTED]]
    told = [name for name in (*OUTCOMES, "repairs", "refused") if any(file.get(name) for file in listed)]
    return {"raw_files": len(files), "files": records_table(listed, ("file", "read", *told))}


def in_reading_order(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What leads somewhere first, and the long table of files last."""
    leads = [name for name in metadata if name == JOB_LOG or name.startswith("quarantine")]
    rest = sorted((name for name in metadata if name not in leads), key=lambda name: name == "files")
    return {name: metadata[name] for name in (*leads, *rest)}


def _told(repairs: Mapping[str, int]) -> str:
    return ", ".join(f"{what}: {rows}" for what, rows in repairs.items())
