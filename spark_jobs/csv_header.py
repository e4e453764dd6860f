"""What the first bytes of a CSV file say of it. Pure, without pyspark: the checks of the raw zone ask it too."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from autocorp_assets.contracts.model import CsvFeed, TableContract

HEAD_BYTES = 64 * 1024
"""Of a file, for `judge_header`: far more than a header is long."""
NO_NAME = "(no name)"

_OTHER_FORMATS = {
    b"\x1f\x8b": "compressed (gzip): deliver it unpacked",
    b"BZh": "compressed (bzip2): deliver it unpacked",
    b"\xfd7zXZ": "compressed (xz): deliver it unpacked",
    b"\x28\xb5\x2f\xfd": "compressed (zstd): deliver it unpacked",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: unpack it, or save it as CSV in UTF-8",
    b"\xff\xfe": "UTF-16, not UTF-8: export it as UTF-8",
    b"\xfe\xff": "UTF-16, not UTF-8: export it as UTF-8",
}
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True)
class Header:
    """Columns of a CSV file in its order."""

    names: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """Why a file as a whole cannot be read, and what to do."""

    reason: str


def judge_header(head: bytes, contract: TableContract) -> Header | Refusal:
    """Reads the header out of a file's first bytes.

    Raises:
        ValueError: the table has no CSV feed.
    """
    feed = contract.csv_feed
    if feed is None:
        message = f"table {contract.name} has no CSV feed"
        raise ValueError(message)
    for mark, what in _OTHER_FORMATS.items():
        if head.startswith(mark):
            return Refusal(f"the file is {what}")
    if b"\x00" in head:
        return Refusal("the file holds NUL bytes, as UTF-16 and binary files do: export it as UTF-8 text")
    text = head.decode("utf-8-sig", errors="replace")
    if not text.strip():
        return Refusal(f"the file is empty: it must at least have the header {_expected(feed)}")
    names = _first_line(text, ",")
    if missing := [name for name in contract.needed_of_feed if name not in names]:
        return Refusal(_without(missing, names, text, feed))
    if twice := [name for name in feed.columns if [other.casefold() for other in names].count(name) > 1]:
        return Refusal(f"the header names column {twice[0]} twice: export each column once")
    return Header(names, tuple(name or NO_NAME for name in names if name not in feed.columns))


def _first_line(text: str, delimiter: str) -> tuple[str, ...]:
    lines = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    return tuple(name.strip() for name in next(line for line in lines if line))


def _without(missing: Iterable[str], names: Iterable[str], text: str, feed: CsvFeed) -> str:
    """Why the header lacks what it needs."""
    for delimiter, what in _OTHER_DELIMITERS.items():
        if set(feed.key) <= set(_first_line(text, delimiter)):
            return f"the columns are separated by {what}: export them separated by commas, as in {_expected(feed)}"
    if set(names).isdisjoint(feed.columns):
        return f"the first line is no header: it must be {_expected(feed)}"
    absent = ", ".join(missing)
    return f"the header has no column {absent}, and no row counts without: export it too, as in {_expected(feed)}"


def _expected(feed: CsvFeed) -> str:
    return ",".join(feed.columns)
