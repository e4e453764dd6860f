"""CSV deliveries as one batch of judged rows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import (
    CHANGE_SEQ,
    CHANGED_AT,
    RAW_FILE,
    RECORD_KEY,
    SOURCE_SYSTEM,
    Column,
    CsvFeed,
    KeyForm,
    Repeats,
    TableContract,
)
from autocorp_assets.contracts.model import SourceSystem as System
from spark_jobs import columns as c
from spark_jobs import values
from spark_jobs.change_seq import ORDINAL_DIGITS, POSITION_DIGITS
from spark_jobs.csv_header import HEAD_BYTES, Header, Refusal, judge_header
from spark_jobs.hadoop_files import HadoopFiles
from spark_jobs.partitions import month_partition
from spark_jobs.plan import SourceFile
from spark_jobs.rules import broken_rules

_CORRUPT = "_corrupt"
_SWALLOWS = "_swallows"
_POSITION_BITS = 33
"""monotonically_increasing_id counts in the low 33 bits, the partition is above them (Spark docs)."""


def inspect(files: HadoopFiles, path: str, contract: TableContract) -> Header | Refusal:
    """Decides whether a delivery can be read at all; one that can is text throughout."""
    verdict = judge_header(files.head(path, HEAD_BYTES), contract)
    if isinstance(verdict, Refusal):
        return verdict
    if files.has_nul(path):
        line = files.first_line_with(path, r"\x00")
        return Refusal(f"line {line:,} holds a NUL byte: export the file as text, and deliver it again")
    if not files.is_utf8(path):
        line = files.first_line_with(path, r"\uFFFD")
        return Refusal(f"line {line:,} is not UTF-8: export the file as UTF-8, and deliver it again")
    return verdict


def read_rows(
    spark: SparkSession, accepted: list[tuple[SourceFile, Header]], contract: TableContract, lake: str
) -> DataFrame:
    """One row a CSV row, with the same columns as `database_changes.as_changes` gives."""
    feed = _feed(contract)
    rows = reduce(
        DataFrame.unionByName, (_read_file(spark, file, header, contract, lake=lake) for file, header in accepted)
    )
    rows = _parse(rows, contract, feed)
    if feed.key_form is KeyForm.LINE:
        # Numbered before any row is judged, so that a line keeps its number whatever happens to its neighbours.
        unit = Window.partitionBy(*(feed.table_column[name] for name in feed.key), RAW_FILE, "_ordinal")
        rows = rows.withColumn("_line", F.row_number().over(unit.orderBy(c.POSITION)))
    return _judge(rows, contract, feed)


def _feed(contract: TableContract) -> CsvFeed:
    if contract.csv_feed is None:
        message = f"table {contract.name} has no CSV feed"
        raise ValueError(message)
    return contract.csv_feed


def _read_file(
    spark: SparkSession, file: SourceFile, header: Header, contract: TableContract, *, lake: str
) -> DataFrame:
    """A file is one partition (a quoted value may hold a line end), so that ids count its rows."""
    feed = _feed(contract)
    names = [name if name in feed.columns else f"_{place}" for place, name in enumerate(header.names)]
    schema = ", ".join(f"`{name}` string" for name in (*names, _CORRUPT))
    raw = (
        spark.read.schema(schema)
        .option("header", value=True)
        .option("multiLine", value=True)
        .option("escape", '"')
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", _CORRUPT)
        .csv(f"{lake}/{file.path}")
    )
    position = F.monotonically_increasing_id().bitwiseAND((1 << _POSITION_BITS) - 1) + 1
    return raw.select(
        F.struct(*(_cell(name, header).alias(name) for name in feed.columns)).alias(c.TEXT),
        F.col(_CORRUPT),
        _swallows_rows(header, contract).alias(_SWALLOWS),
        position.alias(c.POSITION),
        F.lit(file.day).alias("_day"),
        F.lit(file.ordinal).alias("_ordinal"),
        F.lit(file.delivered_as or file.path).alias(RAW_FILE),
        F.lit(file.replay).alias(c.REPLAY),
    )


def _cell(name: str, header: Header) -> Expression:
    return F.col(f"`{name}`") if name in header.names else F.lit(None).cast("string")


def _swallows_rows(header: Header, contract: TableContract) -> Expression:
    """Whether a cell begins with a quote that was never closed: it goes on, in the next row, to the next quote.

    What it holds is then the rest of its row, a line end, and at least as many cells of another row as
    stand before it, or the row would have another number of cells. Only text can hold that unnoticed.
    """
    columns = _feed(contract).table_column
    texts = [name for name, column in columns.items() if contract.column_by_name[column].type == "string"]
    cells = [_cell(name, header) for name in texts if name in header.names]
    found = [
        (cell.contains("\n") | cell.contains("\r")) & (F.size(F.split(cell, ",")) >= len(header.names))
        for cell in cells
    ]
    return F.coalesce(F.greatest(F.lit(False), F.lit(False), *found), F.lit(False))


def _parse(rows: DataFrame, contract: TableContract, feed: CsvFeed) -> DataFrame:
    """Cells to values, a projection a step: Spark then computes each step once, and plans in no time.

    One nested expression for all of it would be copied wherever a later one mentions it.
    """
    columns = {name: contract.column_by_name[table_name] for name, table_name in feed.table_column.items()}
    cells = {name: F.col(f"{c.TEXT}.`{name}`") for name in columns}
    text = {name: F.col(f"_text_{name}") for name in columns}
    exact = {name: F.col(f"_exact_{name}") for name in columns}
    numbers = [name for name, column in columns.items() if values.is_number(column)]
    mended = [
        F.when(happened, F.lit(f"{column.name}: {repair}"))
        for name, column in columns.items()
        for repair, happened in values.repairs(column, cells[name], text[name]).items()
    ]
    malformed = [
        F.when((text[name] != "") & F.col(column.name).isNull(), F.lit(f"{column.name}: malformed"))
        for name, column in columns.items()
    ]
    corrupt = F.when(F.col(_CORRUPT).isNotNull(), F.lit("row: not as many cells as the header has")).when(
        F.col(_SWALLOWS), F.lit("row: a quote is not closed, and a cell holds the rows behind it")
    )
    return (
        rows.withColumns({f"_text_{name}": values.trimmed(cell) for name, cell in cells.items()})
        .withColumn(c.REPAIRS, F.array_compact(F.array(*mended)))
        .withColumns({f"_text_{name}": values.plain_number(text[name]) for name in numbers})
        .withColumns({f"_exact_{name}": values.exact_value(column, text[name]) for name, column in columns.items()})
        .withColumns({column.name: values.typed_value(column, exact[name]) for name, column in columns.items()})
        .withColumn(c.BROKEN, F.array_compact(F.array(corrupt, *malformed)))
    )


def _judge(rows: DataFrame, contract: TableContract, feed: CsvFeed) -> DataFrame:
    rows = _derive(rows, feed)
    delivered = tuple(contract.column_by_name[name] for name in feed.table_column.values())
    rules = [
        F.when(broken, F.lit(name)) for name, broken in broken_rules(contract, delivered, F.to_date("_day", "yyyyMMdd"))
    ]
    # A malformed value is NULL by now: what else its column breaks would only repeat that.
    rows = rows.withColumn(
        c.BROKEN, F.when(F.size(c.BROKEN) > 0, F.col(c.BROKEN)).otherwise(F.array_compact(F.array(*rules)))
    )
    raw_row = F.coalesce(F.col(_CORRUPT), F.to_json(c.TEXT))
    text = [c.TEXT] if feed.repeats is Repeats.QUARANTINED else []
    return rows.select(
        *(_column(column, feed).alias(column.name) for column in contract.columns),
        *_lineage(contract, feed),
        *(F.lit(None).cast(column.type).alias(column.name) for column in contract.unnamed_columns),
        F.lit(False).alias(c.DELETED),
        F.lit(None).cast("array<string>").alias(c.UNCHANGED),
        F.col(c.POSITION),
        F.col(c.REPLAY),
        F.col(c.BROKEN),
        F.col(c.REPAIRS),
        F.when(F.size(c.BROKEN) > 0, raw_row).alias(c.RAW_ROW),
        content(delivered).alias(c.SEQUENCE),
        *text,
    )


def content(delivered: Iterable[Column], prefix: str = "") -> Expression:
    """Digest of a row's values: two rows of one key with the same one say the same.

    `prefix` stands before the columns' names where the row is a stored one.
    """
    cells = F.struct(*(F.col(f"{prefix}{column.name}").alias(column.name) for column in delivered))
    return F.sha2(F.to_json(cells), 256)


def _derive(rows: DataFrame, feed: CsvFeed) -> DataFrame:
    for derivation in feed.derivations:
        difference = F.col(derivation.minuend) - F.col(derivation.subtrahend)
        missing = F.col(derivation.target).isNull() & (difference >= 0) & (F.size(c.BROKEN) == 0)
        note = F.array(F.lit(f"{derivation.target}: derived"))
        kept = F.col(derivation.target)
        rows = rows.withColumns(
            {
                c.REPAIRS: F.when(missing, F.concat(F.col(c.REPAIRS), note)).otherwise(F.col(c.REPAIRS)),
                derivation.target: F.when(missing, difference.cast(rows.schema[derivation.target].dataType)).otherwise(
                    kept
                ),
            }
        )
    return rows


def _column(column: Column, feed: CsvFeed) -> Expression:
    return F.col(column.name) if column.name in feed.table_column.values() else F.lit(None).cast(column.type)


def _lineage(contract: TableContract, feed: CsvFeed) -> list[Expression]:
    derived = {
        RECORD_KEY: _record_key(feed),
        SOURCE_SYSTEM: F.lit(str(System.CSV)),
        CHANGE_SEQ: F.concat_ws(".", "_day", _padded("_ordinal", ORDINAL_DIGITS), _padded(c.POSITION, POSITION_DIGITS)),
        CHANGED_AT: F.to_timestamp("_day", "yyyyMMdd"),
        RAW_FILE: F.col(RAW_FILE),
        **month_partition(contract, F.col),
    }
    return [derived[column.name].alias(column.name) for column in contract.lineage_columns]


def _padded(name: str, digits: int) -> Expression:
    return F.lpad(F.col(name).cast("string"), digits, "0")


def _record_key(feed: CsvFeed) -> Expression:
    value = F.concat_ws(":", *(F.col(feed.table_column[name]).cast("string") for name in feed.key))
    known = reduce(lambda left, right: left & right, (F.col(feed.table_column[name]).isNotNull() for name in feed.key))
    if feed.key_form is KeyForm.HASHED:
        value = F.sha2(F.lower(value), 256)
    elif feed.key_form is KeyForm.LINE:
        value = F.concat_ws(":", value, F.col("_line").cast("string"))
    return F.when(known, F.concat(F.lit(f"{System.CSV}:"), value))
