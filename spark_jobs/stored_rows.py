"""What the table already holds about the records of a batch, and what follows for the write."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import (
    CHANGE_SEQ,
    PARTITION_MONTH,
    RECORD_KEY,
    KeyForm,
    TableContract,
)
from spark_jobs import columns as c
from spark_jobs.change_seq import GENERATION_DIGITS, generation_text
from spark_jobs.csv_rows import content
from spark_jobs.reduction import Outcome

_OLD = "_stored_"


def without_unknown_values(
    rows: DataFrame, stored: DataFrame, kept_out: DataFrame, contract: TableContract
) -> DataFrame:
    """Keeps out updates that leave a large value as it was where the change that may have set it is kept out.

    The stored value may be an older one: nobody can tell until that change is mended and both are judged again.

    Args:
        rows: classified changes of the database.
        stored: the table's rows of the database.
        kept_out: `record_key` and greatest `change_seq` of what is in quarantine.
        contract: the table.
    """
    key = contract.record_key
    newest = kept_out.select(F.col("record_key").alias("_kept_out_key"), F.col(CHANGE_SEQ).alias("_kept_out_seq"))
    old = stored.select(F.col(key).alias(f"{_OLD}{key}"), F.col(CHANGE_SEQ).alias(f"{_OLD}{CHANGE_SEQ}"))
    is_open = (F.col(c.OUTCOME) == str(Outcome.APPLIED)) & (F.size(c.UNCHANGED) > 0)
    joined = rows.join(newest, (F.col(key).cast("string") == F.col("_kept_out_key")) & is_open, "left")
    joined = joined.join(old, (F.col(key) == F.col(f"{_OLD}{key}")) & F.col("_kept_out_key").isNotNull(), "left")
    unknown = F.col("_kept_out_seq") > F.coalesce(F.col(f"{_OLD}{CHANGE_SEQ}"), F.lit(""))
    reasons = F.transform(c.UNCHANGED, lambda name: F.concat(name, F.lit(": set by a change that is kept out")))
    whole = F.to_json(F.struct(*contract.column_by_name))
    return joined.withColumns(
        {
            c.OUTCOME: F.when(unknown, str(Outcome.QUARANTINED)).otherwise(F.col(c.OUTCOME)),
            c.BROKEN: F.when(unknown, reasons).otherwise(F.col(c.BROKEN)),
            c.RAW_ROW: F.when(unknown, whole).otherwise(F.col(c.RAW_ROW)),
        }
    ).select(*rows.columns)


def compare(
    rows: DataFrame, stored: DataFrame, contract: TableContract, *, is_csv: bool, is_reload: bool, unresolved: bool
) -> DataFrame:
    """Joins the stored rows to those to apply: fills what they left out, finds those that change nothing.

    A row of a CSV or of a reload is compared with all that it says: both repeat much that is stored. A change of
    the database needs the stored partition, which a delete does not name, and the large values that it did not
    carry. Adds `_stored_partition_month` for `writes` where the table is partitioned by month.
    """
    key = contract.record_key
    needed = _needed(contract, is_csv=is_csv, is_reload=is_reload, unresolved=unresolved)
    old = stored.select(*(F.col(name).alias(f"{_OLD}{name}") for name in needed))
    applied = F.col(c.OUTCOME) == str(Outcome.APPLIED)
    joined = rows.join(old, (F.col(key) == F.col(f"{_OLD}{key}")) & applied, "left")
    if is_csv:
        joined = joined.withColumn(c.OUTCOME, _outcome_against_stored(contract))
    elif unresolved:
        joined = joined.withColumns(_filled(contract))
    if is_reload:
        joined = joined.withColumn(c.OUTCOME, _outcome_of_reload(contract))
    month = [f"{_OLD}{PARTITION_MONTH}"] if contract.month_of else []
    return joined.select(*rows.columns, *month)


def _needed(contract: TableContract, *, is_csv: bool, is_reload: bool, unresolved: bool) -> tuple[str, ...]:
    feed = contract.csv_feed
    month = (PARTITION_MONTH,) if contract.month_of else ()
    values: tuple[str, ...] = ()
    if is_csv and feed:
        values = (*feed.table_column.values(), CHANGE_SEQ)
    elif is_reload:
        values = content_columns(contract)
    elif unresolved:
        values = contract.large_columns
    return tuple(dict.fromkeys((contract.record_key, *month, *values)))


def _outcome_against_stored(contract: TableContract) -> Expression:
    feed = contract.csv_feed
    delivered = [contract.column_by_name[name] for name in feed.table_column.values()] if feed else []
    same = F.col(c.SEQUENCE) == content(delivered, prefix=_OLD)
    stored_is_newer = F.col(CHANGE_SEQ) < F.col(f"{_OLD}{CHANGE_SEQ}")
    is_stored = F.col(f"{_OLD}{contract.record_key}").isNotNull()
    return (
        F.when(is_stored & same, str(Outcome.UNCHANGED))
        .when(is_stored & stored_is_newer, str(Outcome.SUPERSEDED))
        .otherwise(F.col(c.OUTCOME))
    )


def _outcome_of_reload(contract: TableContract) -> Expression:
    """What is stored as it is keeps its lineage, and costs no write."""
    same = reduce(
        lambda left, right: left & right,
        (F.col(name).eqNullSafe(F.col(f"{_OLD}{name}")) for name in content_columns(contract)),
    )
    is_stored = F.col(f"{_OLD}{contract.record_key}").isNotNull()
    return F.when(is_stored & ~F.col(c.DELETED) & same, str(Outcome.UNCHANGED)).otherwise(F.col(c.OUTCOME))


def content_columns(contract: TableContract) -> tuple[str, ...]:
    """Columns that say what a record is, and where it has to lie; the others say where it came from."""
    lineage = {column.name for column in contract.lineage_columns} - {PARTITION_MONTH}
    return tuple(column.name for column in contract.lake_columns if column.name not in lineage)


def _filled(contract: TableContract) -> dict[str, Expression]:
    def value(name: str) -> Expression:
        left_out = F.coalesce(F.array_contains(c.UNCHANGED, name), F.lit(False))
        return F.when(left_out, F.col(f"{_OLD}{name}")).otherwise(F.col(name))

    return {name: value(name) for name in contract.large_columns}


def writes(rows: DataFrame, contract: TableContract, *, into_empty: bool) -> DataFrame:
    """Rows for the table: upserts and deletes, each in the partition in which its record is.

    Where nothing is stored yet there is nothing to delete.
    """
    applied = rows.filter(F.col(c.OUTCOME) == str(Outcome.APPLIED))
    lake = [column.name for column in contract.lake_columns]
    old_month = f"{_OLD}{PARTITION_MONTH}"
    if into_empty:
        return applied.filter(~F.col(c.DELETED)).select(*lake, c.DELETED)
    if not contract.month_of:
        return applied.select(*lake, c.DELETED)
    leaves = F.col(old_month).isNotNull() & (F.col(c.DELETED) | (F.col(old_month) != F.col(PARTITION_MONTH)))
    gone = applied.filter(leaves).withColumn(PARTITION_MONTH, F.col(old_month)).withColumn(c.DELETED, F.lit(True))
    stays = applied.filter(~F.col(c.DELETED))
    return stays.select(*lake, c.DELETED).unionByName(gone.select(*lake, c.DELETED))


def vanished(rows: DataFrame, stored: DataFrame, contract: TableContract, *, generation: int) -> DataFrame:
    """Deletes of stored records that a whole new load does not hold, nor any change since it began.

    One that the load holds with a value that the lake cannot stays as it was.
    """
    kept_out = F.col(c.OUTCOME) == str(Outcome.QUARANTINED)
    is_of_load = F.substring(CHANGE_SEQ, 1, GENERATION_DIGITS) >= generation_text(generation)
    told = F.col(c.OUTCOME).isin(str(Outcome.APPLIED), str(Outcome.UNCHANGED)) | (kept_out & is_of_load)
    seen = rows.filter(told).select(contract.record_key)
    return as_deletes(stored.join(seen, contract.record_key, "left_anti"), contract)


def replaced_lines(rows: DataFrame, stored: DataFrame, contract: TableContract) -> list[DataFrame]:
    """Deletes of stored lines that an order's new delivery no longer has; none for feeds of single rows."""
    feed = contract.csv_feed
    if feed is None or feed.key_form is not KeyForm.LINE:
        return []
    unit = [feed.table_column[name] for name in feed.key]
    current = rows.filter(F.col(c.OUTCOME).isin(str(Outcome.APPLIED), str(Outcome.UNCHANGED)))
    old_lines = stored.join(current.select(*unit).distinct(), unit, "left_semi")
    return [as_deletes(old_lines.join(current.select(RECORD_KEY), RECORD_KEY, "left_anti"), contract)]


def as_deletes(stored: DataFrame, contract: TableContract) -> DataFrame:
    """A delete of each of these stored rows."""
    lake = [column.name for column in contract.lake_columns]
    return stored.select(*lake, F.lit(True).alias(c.DELETED))


def union_all(frames: list[DataFrame]) -> DataFrame:
    """One frame of frames that have the same columns."""
    return reduce(DataFrame.unionByName, frames)
