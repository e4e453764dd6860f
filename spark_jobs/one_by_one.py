"""Loads and deliveries of one batch, decided about as if each had been a batch of its own.

A load or a delivery that says of a record what is stored leaves it as it is, with the place where it came from. Taken
in together they do the same: the first that said it counts, whenever a table is curated, and also when all of it is
made anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import CHANGE_SEQ, TableContract
from autocorp_assets.contracts.raw_format import LOAD_SEQUENCE
from spark_jobs import columns as c
from spark_jobs.change_seq import GENERATION_DIGITS, ORDINAL_DIGITS, generation_text
from spark_jobs.reduction import Outcome, change_sequence, delivery_of, is_unit, unit_of
from spark_jobs.stored_rows import content_columns

_DAY_DIGITS = 8
_GOOD, _STEP, _STEPS, _SAYS, _HOLDS = "_good", "_step", "_steps", "_says", "_holds"
_TEMPORARY = (_GOOD, _STEP, _STEPS, _SAYS, _HOLDS, "_rank", "_record", "_before", "_gap", "_run", "_last", "_first")


def loads_one_by_one(rows: DataFrame, contract: TableContract, generations: Sequence[int]) -> DataFrame:
    """The outcome of classified changes into an empty table, with each of the loads in its turn.

    A load deletes what neither it nor a change since holds; a record that it holds with a value that the lake cannot
    stays as it was. What it repeats stays as it was too, and so do rows that nothing tells apart.

    Args:
        rows: of the database, classified.
        contract: the table, with the columns that the contract does not name.
        generations: of all loads, ascending.
    """
    of_row = F.substring(CHANGE_SEQ, 1, GENERATION_DIGITS)
    steps = (F.when(of_row == generation_text(number), F.lit(place)) for place, number in enumerate(generations, 1))
    step = F.coalesce(*steps, F.lit(0))
    content = F.struct(c.DELETED, *content_columns(contract))
    is_load = change_sequence() == LOAD_SEQUENCE
    good = F.col(c.OUTCOME) != str(Outcome.QUARANTINED)
    rows = rows.withColumns({_GOOD: good, _STEP: step, _STEPS: F.lit(len(generations))})
    # A change is news whatever it says; a kept-out row is not, and says that its record is there.
    return _decide(
        rows.withColumns({_SAYS: F.when(good, content), _HOLDS: ~good}),
        contract,
        may_repeat=is_load & ~F.col(c.DELETED),
    )


def deliveries_one_by_one(rows: DataFrame, contract: TableContract) -> DataFrame:
    """The outcome of classified CSV rows, with each delivery in the order of arrival.

    One that arrived after a delivery of a later day says nothing about the records (for lines: orders) of that one.
    """
    unit = unit_of(contract) if is_unit(contract) else [contract.record_key]
    good = F.col(c.OUTCOME) != str(Outcome.QUARANTINED)
    arrival = F.substring(CHANGE_SEQ, _DAY_DIGITS + 2, ORDINAL_DIGITS).cast("long")
    delivery = delivery_of(F.col(CHANGE_SEQ))
    earlier = Window.partitionBy(_GOOD, *unit).orderBy("_arrival").rangeBetween(Window.unboundedPreceding, -1)
    rows = rows.withColumns({_GOOD: good, "_arrival": arrival, _HOLDS: F.lit(False), _SAYS: F.col(c.SEQUENCE)})
    rows = rows.withColumn("_counts", F.coalesce(delivery > F.max(delivery).over(earlier), F.lit(True)) & F.col(_GOOD))
    those = Window.partitionBy("_counts", *unit)
    rows = rows.withColumn(_STEP, F.when(F.col("_counts"), F.dense_rank().over(those.orderBy("_arrival"))))
    rows = rows.withColumn(_STEPS, F.max(_STEP).over(those))
    return _decide(rows, contract, may_repeat=F.lit(True)).drop("_arrival", "_counts")


def _decide(rows: DataFrame, contract: TableContract, *, may_repeat: Expression) -> DataFrame:
    """From what each step says of a record to the row that is stored in the end.

    A record's steps are cut into runs in which it stays as it is; the first row of the last run is stored, if that
    run goes on to the last step.
    """
    key = contract.record_key
    newest_first = [F.col(_GOOD).desc(), F.col(CHANGE_SEQ).desc()]
    of_step = Window.partitionBy(key, _STEP)
    rows = rows.withColumn("_rank", F.row_number().over(of_step.orderBy(*newest_first)))
    is_record = (F.col("_rank") == 1) & (F.col(_STEP) >= 1) & F.col(key).isNotNull()
    rows = rows.withColumn("_record", F.coalesce(is_record, F.lit(False)))
    of_record = Window.partitionBy(key, "_record")
    in_turn = of_record.orderBy(_STEP)
    before = in_turn.rowsBetween(Window.unboundedPreceding, -1)
    rows = rows.withColumns(
        {
            "_before": F.last(_SAYS, ignorenulls=True).over(before),
            "_gap": F.coalesce(F.lag(_STEP).over(in_turn) != F.col(_STEP) - 1, F.lit(True)),
        }
    )
    stays = F.col(_HOLDS) | (may_repeat & F.col("_before").isNotNull() & F.col("_before").eqNullSafe(F.col(_SAYS)))
    begins = F.when(F.col("_gap") | ~stays, 1).otherwise(0)
    rows = rows.withColumn("_run", F.sum(begins).over(in_turn))
    rows = rows.withColumn("_last", (F.col("_run") == F.max("_run").over(of_record)) & F.col("_record"))
    reaches = F.max(F.when(F.col("_record"), F.col(_STEP))).over(of_record) == F.col(_STEPS)
    first = F.min(F.when(F.col("_last") & F.col(_GOOD), F.col(_STEP))).over(of_record)
    rows = rows.withColumns({"_last": F.col("_last") & F.col(_GOOD) & reaches, "_first": first})
    is_repeated = (F.col(c.OUTCOME) == str(Outcome.DUPLICATE)) & ~F.col("_record")
    outcome = (
        F.when(~F.col(_GOOD) | is_repeated, F.col(c.OUTCOME))
        .when(F.col("_last") & (F.col(_STEP) == F.col("_first")), str(Outcome.APPLIED))
        .when(F.col("_last"), str(Outcome.UNCHANGED))
        .otherwise(str(Outcome.SUPERSEDED))
    )
    return rows.withColumn(c.OUTCOME, outcome).drop(*_TEMPORARY)
