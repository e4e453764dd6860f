"""Which names of files are exports of a feed, and what to do about those that only look like it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from autocorp_assets.contracts.model import CsvFeed

PACKED_SUFFIXES = (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z")


def is_export(name: str, feed: CsvFeed) -> bool:
    """Whether the name is `<feed>-YYYYMMDD.csv` with a date."""
    match = feed.file_pattern().fullmatch(name)
    return match is not None and _is_date(match[1])


def why_ignored(name: str, feed: CsvFeed) -> str | None:
    """Why a name that looks like one of this feed's files is none, and what to do.

    None when it is one, or has nothing to do with the feed.
    """
    wanted = f"{feed.name}-YYYYMMDD.csv"
    if match := feed.file_pattern().fullmatch(name):
        return None if _is_date(match[1]) else f"{match[1]} is not a date: rename it to {wanted}"
    if not re.match(rf"{re.escape(feed.name)}(?![a-z])", name.casefold()):
        return None
    if name.casefold().endswith(PACKED_SUFFIXES):
        return f"packed: unpack it to {wanted}"
    return f"not a name of this feed: rename it to {wanted}, or move it away"


def _is_date(digits: str) -> bool:
    try:
        datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
