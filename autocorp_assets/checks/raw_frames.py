"""The newest raw files as frames to be judged: bounded, read by name, typed by contract."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from autocorp_assets.checks.schemas import CHANGED_AT, polars_type
from autocorp_assets.contracts.model import (
    CHANGE_SEQ,
    RECORD_KEY,
    SOURCE_SYSTEM,
    Column,
    CsvFeed,
    SourceSystem,
    TableContract,
)
from autocorp_assets.contracts.raw_format import COMMIT_TIME, OP, RAW_COLUMNS, table_prefix
from autocorp_assets.lake.file_system import location
from autocorp_assets.lake.storage import LakeStorage, RawFile
from spark_jobs.csv_header import HEAD_BYTES, Header, Refusal, judge_header
from spark_jobs.plan import Delivery

FILE_LIMIT = 20
ROW_LIMIT = 20_000
"""Rows of one check: enough to see a change of habit at the source, read in well under a second."""
DELETE = "D"
UNREADABLE = (pl.exceptions.ComputeError, OSError)
"""What polars raises for a file that is cut off, or is something else."""

RAW_TYPES: dict[str, tuple[type[pl.DataType], ...]] = {
    "int": (pl.Int32, pl.Int16, pl.Int8),
    "string": (pl.String,),
    "date": (pl.Date,),
    "timestamp": (pl.Datetime,),
    "decimal": (pl.Decimal,),
}
"""Types that a raw column may have for a lake column: its own, or one that widens to it."""


@dataclass(frozen=True, kw_only=True)
class SchemaFindings:
    """How files differ from the contract."""

    files: int
    differences: tuple[str, ...]


def newest_files(lake: LakeStorage, table: str) -> list[RawFile]:
    """The table's newest files, newest first."""
    files = lake.raw_files(table_prefix(table))
    loads_last = sorted(files, key=lambda file: (not file.name.startswith("LOAD"), file.name), reverse=True)
    return loads_last[:FILE_LIMIT]


def table_findings(lake: LakeStorage, contract: TableContract) -> SchemaFindings:
    """Compare the newest files' columns and types with the contract."""
    files = newest_files(lake, contract.name)
    differences: dict[str, None] = {}
    for file in files:
        place = location(lake.root, file.path)
        differences |= dict.fromkeys(f"{found} in {file.name}" for found in _differences(place, contract))
    return SchemaFindings(files=len(files), differences=tuple(differences)[:FILE_LIMIT])


def _differences(place: str, contract: TableContract) -> list[str]:
    try:
        schema = pl.scan_parquet(place, glob=False).collect_schema()
    except UNREADABLE as error:
        return [f"not a whole Parquet file ({error})"]
    found = {name: kind for name, kind in schema.items() if name not in RAW_COLUMNS}
    unknown = [f"unknown column {name} ({kind})" for name, kind in found.items() if name not in contract.column_by_name]
    missing = [f"missing column {name}" for name in contract.column_by_name if name not in found]
    retyped = [
        f"column {column.name} is {found[column.name]}, not {column.type}"
        for column in contract.columns
        if column.name in found and not isinstance(found[column.name], RAW_TYPES[column.type.split("(")[0]])
    ]
    return unknown + missing + retyped


def newest_changes(lake: LakeStorage, contract: TableContract) -> pl.DataFrame:
    """At most ROW_LIMIT of the newest rows that a table's raw files hold, deletes and unreadable files left out."""
    frames: list[pl.DataFrame] = []
    rows = 0
    for file in newest_files(lake, contract.name):
        if rows >= ROW_LIMIT:
            break
        try:
            place = location(lake.root, file.path)
            raw = pl.scan_parquet(place, glob=False, n_rows=ROW_LIMIT - rows).collect()
        except UNREADABLE:  # the schema check names it
            continue
        frame = _as_lake_rows(raw, contract)
        frames.append(frame)
        rows += frame.height
    if not frames:
        return _no_rows(contract)
    # A row may have changed several times since: only its newest state is judged.
    return pl.concat(frames, how="diagonal").unique(contract.primary_key, keep="first", maintain_order=True)


def _as_lake_rows(raw: pl.DataFrame, contract: TableContract) -> pl.DataFrame:
    kept = raw.filter(pl.col(OP).fill_null("") != DELETE) if OP in raw.columns else raw
    columns = [column for column in contract.columns if column.name in kept.columns]
    key = pl.col(contract.primary_key).cast(pl.String)
    typed = kept.reverse().select(
        *(pl.col(column.name).cast(polars_type(column), strict=False) for column in _castable(columns, kept)),
        (pl.lit(f"{SourceSystem.DATABASE}:") + key).alias(RECORD_KEY),
        pl.lit(str(SourceSystem.DATABASE)).alias(SOURCE_SYSTEM),
        pl.col(COMMIT_TIME).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_zone="UTC", strict=False).alias(CHANGED_AT),
    )
    return typed if contract.has_two_systems else typed.drop(RECORD_KEY, SOURCE_SYSTEM)


def _castable(columns: list[Column], frame: pl.DataFrame) -> list[Column]:
    """Columns whose type the contract accepts; the others are the schema check's business."""
    return [c for c in columns if isinstance(frame.schema[c.name], RAW_TYPES[c.type.split("(")[0]])]


def feed_findings(lake: LakeStorage, feed: CsvFeed, contract: TableContract) -> SchemaFindings:
    """Compare the header of the newest delivery with the contract, as the job does."""
    file = lake.newest_delivery(feed.name)
    if file is None:
        return SchemaFindings(files=0, differences=())
    verdict = _header(lake, file, contract)
    if isinstance(verdict, Refusal):
        return SchemaFindings(files=1, differences=(f"{file.name} is refused: {verdict.reason}",))
    differences = [
        *(f"unknown column {name} in {file.name}" for name in verdict.unknown),
        *(f"missing column {name} in {file.name}" for name in feed.columns if name not in verdict.names),
    ]
    return SchemaFindings(files=1, differences=tuple(differences))


def _header(lake: LakeStorage, file: Delivery, contract: TableContract) -> Header | Refusal:
    return judge_header(lake.first_bytes(file.path, HEAD_BYTES), contract)


def newest_delivery(lake: LakeStorage, feed: CsvFeed, contract: TableContract) -> pl.DataFrame:
    """At most ROW_LIMIT first rows of a feed's newest delivery, as the table's columns; none of one that is refused."""
    file = lake.newest_delivery(feed.name)
    if file is None or isinstance(_header(lake, file, contract), Refusal):
        return _no_rows(contract)
    types = {column.name: polars_type(column) for column in contract.columns}
    try:
        texts = pl.scan_csv(
            location(lake.root, file.path),
            glob=False,
            n_rows=ROW_LIMIT,
            infer_schema=False,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
        ).collect()
    except UNREADABLE:  # such as a quote that is not closed: the job tells which row
        return _no_rows(contract)
    known = {name: feed.table_column[name] for name in texts.columns if name in feed.table_column}
    stripped = texts.select(pl.col(list(known)).str.strip_chars().replace("", None)).rename(known)
    return stripped.select(
        *(_parsed(name, types[name]) for name in stripped.columns),
        pl.lit(str(SourceSystem.CSV)).alias(SOURCE_SYSTEM),
        pl.lit(f"{file.name}:").alias(CHANGE_SEQ) + pl.int_range(1, pl.len() + 1).cast(pl.String),
        pl.lit(file.day).str.to_datetime("%Y%m%d", time_zone="UTC").alias(CHANGED_AT),
    )


def _parsed(name: str, kind: pl.DataType) -> pl.Expr:
    """A text of the file as the column's type; what cannot be parsed becomes null, which `required` then tells."""
    text = pl.col(name)
    if isinstance(kind, pl.Datetime):
        return text.str.to_datetime(time_zone="UTC", strict=False).alias(name)
    return text.cast(kind, strict=False)


def _no_rows(contract: TableContract) -> pl.DataFrame:
    return pl.DataFrame(schema={column.name: polars_type(column) for column in contract.lake_columns})
