"""The files of the raw zone: where they lie, how they are named, which columns they add.

The database part follows what AWS DMS writes to S3 as Parquet (DMS user guide, "Using Amazon S3
as a target"), so that the same readers serve DMS and the local replicator.
"""

from __future__ import annotations

import re

RAW_DATABASE = "raw/database"
RAW_CSV = "raw/csv"
QUARANTINE = "processed/quarantine"
AUDIT = "processed/audit"
LOAD_MANIFESTS = f"{RAW_DATABASE}/_load"
"""`<generation:06d>.json`, written once every LOAD file of it is in place: by the replicator, or for DMS by us."""
TRANSFER_RECEIPTS = f"{RAW_CSV}/_receipts"
"""`<feed>/<file>.json` with size and sha256 of the verified copy; in S3 its ETag takes the place of the sha256."""
SUPERSEDED_DELIVERIES = f"{RAW_CSV}/_superseded"
"""Content that a corrected file of the same name replaced: `<feed>/<sha256>-<file>`, in S3 `<feed>/<ETag>-<file>`."""

OP = "Op"
COMMIT_TIME = "dms_commit_ts"
"""STRING `yyyy-MM-dd HH:mm:ss.SSSSSS`: transfer time in LOAD files, commit time in change files."""
SEQUENCE = "dms_change_seq"
"""AR_H_CHANGE_SEQ: 35 digits, 16 of timestamp (yyyyMMddHHmmssff) and 19 of a counter; empty in DMS's LOAD files."""
EXTENSION = "autocorp_ext"
"""What DMS's Parquet cannot say: JSON `{"unchanged": [column…], "literal": {column: text}}`, or NULL.

`unchanged`: the update did not carry this large (TOAST) value. `literal`: the source's value, where
the column's type cannot hold it (NaN, infinity); the column itself is NULL then.
"""
UNCHANGED = "unchanged"
LITERAL = "literal"
RAW_COLUMNS = (OP, COMMIT_TIME, SEQUENCE, EXTENSION)

SEQUENCE_DIGITS = 35
LOAD_SEQUENCE = "0" * SEQUENCE_DIGITS

LOAD_FILE = re.compile(r"LOAD[0-9A-Fa-f]{8}\.parquet")
CHANGE_FILE = re.compile(r"(?P<time>\d{8}-\d{9})[^/]*\.parquet")
"""Change files are named by time, such as `20241121-103005123.parquet`; a suffix keeps names apart."""

BLANKS = " \t\r\n\f\u00a0\u2007\u202f\u3000"
"""White space that is trimmed round the cells of a CSV file."""
NUMBER = r"^[+-]?\d+(\.\d*)?$"
"""A cell that is a number, once commas and a leading $ are gone."""
GROUPED_NUMBER = r"^[+-]?\$?\d{1,3}(,\d{3})+(\.\d*)?$"
"""A number whose commas are between thousands; other commas make it malformed."""


def table_prefix(table: str) -> str:
    """Folder of one table's raw files, relative to the lake's root."""
    return f"{RAW_DATABASE}/{table}"


def feed_prefix(feed: str) -> str:
    """Folder of one feed's CSV files, relative to the lake's root."""
    return f"{RAW_CSV}/{feed}"
