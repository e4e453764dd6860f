"""From all changes of a batch to the one that decides about each record."""

from __future__ import annotations

from enum import StrEnum

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import CHANGE_SEQ, RAW_FILE, REPEATED, KeyForm, Repeats, TableContract
from autocorp_assets.contracts.raw_format import SEQUENCE_DIGITS
from spark_jobs import columns as c
from spark_jobs.change_seq import GENERATION_DIGITS, generation_text


class Outcome(StrEnum):
    """What became of a raw row; every row read has exactly one."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


def change_sequence() -> Expression:
    """The source's own sequence within a database row's change_seq; LOAD_SEQUENCE for a row of a load."""
    return F.substring(CHANGE_SEQ, GENERATION_DIGITS + 2, SEQUENCE_DIGITS)


def delivery_of(change_seq: Expression) -> Expression:
    """YYYYMMDD.<ordinal:06d>, the part of a CSV row's change_seq that names its delivery."""
    return F.substring(change_seq, 1, _DELIVERY_SEQ_DIGITS)


_DELIVERY_SEQ_DIGITS = 15


def without_settled(rows: DataFrame, refold_sequence: str) -> DataFrame:
    """Leaves out replayed changes older than what is folded anew.

    Between them and it lie changes that the batch does not hold, so that their large values may be outdated.
    """
    return rows.filter(~F.col(c.REPLAY) | (change_sequence() >= refold_sequence))


def only_touched(rows: DataFrame, contract: TableContract, *, is_csv: bool) -> DataFrame:
    """Leaves of the replayed rows those whose record (or order, for CSV lines) a new row concerns."""
    key = unit_of(contract) if is_csv and is_unit(contract) else [contract.record_key]
    touched = rows.filter(~F.col(c.REPLAY)).select(*key).distinct()
    return rows.filter(~F.col(c.REPLAY)).unionByName(rows.filter(c.REPLAY).join(touched, key, "left_semi"))


def classify(rows: DataFrame, contract: TableContract, *, is_csv: bool, generation: int) -> DataFrame:
    """Adds the outcome: for each record, the last change by change_seq is to be applied.

    A change of the database that is older than the newest load (`generation`) is superseded by it even
    where the load does not hold its record: the load has seen it, and what came after it.
    A row that says the same as the next newer one of its record is a duplicate of it. Values that an
    update did not carry are taken from the newest older change in the batch that did; what is still
    in `_unchanged` afterwards is only known to the table.
    """
    good = F.size(c.BROKEN) == 0
    # Broken rows may have no key: each is its own group, so that they spread over the cluster.
    group = F.coalesce(F.col(contract.record_key), F.concat_ws("#", RAW_FILE, c.POSITION))
    rows = rows.withColumn("_good", good).withColumn("_group", group)
    if not is_csv:
        rows = _fill_unchanged(rows, contract)
    newest_first = Window.partitionBy("_good", "_group").orderBy(F.col(CHANGE_SEQ).desc())
    rows = rows.withColumns(
        {
            "_rank": F.row_number().over(newest_first),
            "_newer": F.lag(c.SEQUENCE).over(newest_first),
        }
    )
    outdated = overruled = F.lit(False)
    if not is_csv:
        outdated = F.substring(CHANGE_SEQ, 1, GENERATION_DIGITS) < generation_text(generation)
    elif is_unit(contract):
        rows, outdated = _outdated_units(rows, contract)
    elif _keeps_repeats(contract):
        rows, overruled = _overruled(rows, contract, newest_first)
    outcome = (
        F.when(~F.col("_good") | overruled, str(Outcome.QUARANTINED))
        .when(F.col("_newer") == F.col(c.SEQUENCE), str(Outcome.DUPLICATE))
        .when((F.col("_rank") > 1) | outdated, str(Outcome.SUPERSEDED))
        .otherwise(str(Outcome.APPLIED))
    )
    temporary = ("_good", "_group", "_rank", "_newer", "_newest_delivery", "_overruled", c.TEXT)
    return rows.withColumn(c.OUTCOME, outcome).drop(*temporary)


def is_unit(contract: TableContract) -> bool:
    return contract.csv_feed is not None and contract.csv_feed.key_form is KeyForm.LINE


def unit_of(contract: TableContract) -> list[str]:
    """Columns of the table that name what a delivery replaces as a whole."""
    feed = contract.csv_feed
    return [feed.table_column[name] for name in feed.key] if feed else []


def _outdated_units(rows: DataFrame, contract: TableContract) -> tuple[DataFrame, Expression]:
    """A delivery replaces all lines of each order in it: lines of an older delivery are superseded."""
    delivery = delivery_of(F.col(CHANGE_SEQ))
    unit = Window.partitionBy("_good", *unit_of(contract))
    rows = rows.withColumn("_newest_delivery", F.max(delivery).over(unit))
    return rows, delivery < F.col("_newest_delivery")


def _keeps_repeats(contract: TableContract) -> bool:
    return contract.csv_feed is not None and contract.csv_feed.repeats is Repeats.QUARANTINED


def _overruled(rows: DataFrame, contract: TableContract, newest_first: WindowSpec) -> tuple[DataFrame, Expression]:
    """A row that a later row of the same delivery contradicts is kept whole, with the reason.

    One that another delivery replaces is an ordinary change.
    """
    is_same_delivery = delivery_of(F.lag(CHANGE_SEQ).over(newest_first)) == delivery_of(F.col(CHANGE_SEQ))
    is_again = is_same_delivery & (F.col("_newer") != F.col(c.SEQUENCE))
    overruled = F.col("_overruled")
    reason = F.array(F.lit(f"{', '.join(unit_of(contract))}: {REPEATED}"))
    rows = rows.withColumn("_overruled", F.coalesce(F.col("_good") & is_again, F.lit(False))).withColumns(
        {
            c.BROKEN: F.when(overruled, reason).otherwise(F.col(c.BROKEN)),
            c.RAW_ROW: F.when(overruled, F.to_json(c.TEXT)).otherwise(F.col(c.RAW_ROW)),
        }
    )
    return rows, overruled


def _fill_unchanged(rows: DataFrame, contract: TableContract) -> DataFrame:
    """Only text can be large enough for PostgreSQL to leave it out of an update.

    A broken row is kept out for another column: the large values that it carried are the record's.
    """
    oldest_first = Window.partitionBy("_group").orderBy(CHANGE_SEQ).rowsBetween(Window.unboundedPreceding, 0)
    large = contract.large_columns
    left_out = {name: F.coalesce(F.array_contains(c.UNCHANGED, name), F.lit(False)) for name in large}
    carried = {
        f"_{name}": F.last(F.when(~left_out[name], F.struct(name)), ignorenulls=True).over(oldest_first)
        for name in large
    }
    rows = rows.withColumns(carried)
    still = [F.when(left_out[name] & F.col(f"_{name}").isNull(), F.lit(name)) for name in large]
    return (
        rows.withColumn("_still", F.array_compact(F.array(*still)))
        .withColumns({name: F.col(f"_{name}").getField(name) for name in large})
        .withColumn(c.UNCHANGED, F.when(F.size("_still") > 0, F.col("_still")))
        .drop("_still", *carried)
    )
