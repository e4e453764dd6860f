"""How far back a table looks for raw files that may have come late: names and times of change files. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from autocorp_assets.contracts.raw_format import CHANGE_FILE

LOOK_BACK = timedelta(minutes=30)
"""How far behind the high-water mark applied change files are remembered by name.

DMS uploads within its CdcMaxBatchInterval (60 s); the window bounds the names in each commit. A file with an
older name is told from an applied one by when it was written: after raw was last listed, with the window
again for clocks that differ and uploads that took long.
"""


def day_before(name: str) -> str:
    """First day folder (YYYYMMDD) of files with this name or a later one: a commit before midnight is flushed after it.

    Empty, which is before any day, for a name without a time.
    """
    return f"{day_of(name[:8]) - timedelta(days=1):%Y%m%d}" if name else ""


def window_start(high_water: str) -> str:
    """Lowest file name of the look-back window, comparable with names; empty without a mark."""
    match = CHANGE_FILE.fullmatch(name_of(high_water))
    if match is None:
        return ""
    time = datetime.strptime(match["time"] + "000", "%Y%m%d-%H%M%S%f").replace(tzinfo=UTC)
    return f"{time - LOOK_BACK:%Y%m%d-%H%M%S}"


def late_since(listed_at: str) -> float:
    """A file written after this (seconds of the epoch) was not in the listing, or is remembered by name."""
    return (datetime.fromisoformat(listed_at) - LOOK_BACK).timestamp() if listed_at else math.inf


def flushed_from(sequence: str) -> str:
    """Lowest name of a file that can hold this change or a later one; the clocks of source and capture may differ."""
    try:
        time = datetime.strptime(f"{sequence[:16]}0000", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:  # no time in it: anywhere
        return ""
    return f"{time - LOOK_BACK:%Y%m%d-%H%M%S}"


def day_of(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)


def name_of(path: str) -> str:
    return path.rsplit("/", 1)[-1]
