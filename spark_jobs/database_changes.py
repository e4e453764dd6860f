"""Raw Parquet of the database, LOAD and change files alike, as one batch of changes."""

from __future__ import annotations

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from autocorp_assets.contracts import raw_format
from autocorp_assets.contracts.model import CHANGE_SEQ, CHANGED_AT, RAW_FILE, RECORD_KEY, SOURCE_SYSTEM, TableContract
from autocorp_assets.contracts.model import SourceSystem as System
from spark_jobs import columns as c
from spark_jobs.change_seq import FILE_TIME_DIGITS, POSITION_DIGITS, generation_text
from spark_jobs.partitions import month_partition
from spark_jobs.plan import FileKind, TablePlan
from spark_jobs.values import fits

_COMMIT_TIME_FORMAT = "yyyy-MM-dd HH:mm:ss.SSSSSS"
_MACHINERY = ("file_path", "file_name", c.POSITION)


def read_raw(spark: SparkSession, plan: TablePlan, lake: str) -> DataFrame:
    """The plan's files as they are, with file and row position; columns are matched by name."""
    return (
        spark.read.option("mergeSchema", value=True)
        .parquet(*(f"{lake}/{file.path}" for file in plan.database_files))
        .select("*", "_metadata.file_path", "_metadata.file_name", F.col("_metadata.row_index").alias(c.POSITION))
    )


def unknown_columns(raw: DataFrame, contract: TableContract) -> tuple[str, ...]:
    """Columns that the source sends and the contract does not name."""
    return tuple(name for name in _source_columns(raw) if name not in contract.column_by_name)


def as_changes(raw: DataFrame, plan: TablePlan, contract: TableContract) -> DataFrame:
    """One row a change: the contract's columns, lineage, and the batch's own columns.

    A LOAD row is an insert at the lowest place of its generation. A missing, null or empty Op is an
    insert (DMS user guide: LOAD files carry no Op unless IncludeOpForFullLoad is set).
    """
    whole_row = F.to_json(F.struct(*(F.col(name) for name in raw.columns if name not in _MACHINERY)))
    present = set(raw.columns)
    wanted = (*contract.column_by_name, *raw_format.RAW_COLUMNS)
    raw = raw.select("*", *(F.lit(None).cast("string").alias(name) for name in wanted if name not in present))
    types = {field.name: field.dataType.simpleString() for field in raw.schema.fields}
    deleted = F.coalesce(F.col(raw_format.OP), F.lit("I")) == "D"
    cells = {column.name: fits(column, F.col(column.name), types[column.name]) for column in contract.columns}
    literals = F.from_json(F.get_json_object(raw_format.EXTENSION, f"$.{raw_format.LITERAL}"), "map<string,string>")
    problems = [
        F.when(
            misfit & _judged(deleted, name, contract),
            F.concat(F.lit(f"{name}: "), _form(literals.getItem(name)), F.lit(f"does not fit {column.type}")),
        )
        for name, column in contract.column_by_name.items()
        for misfit in [cells[name][1] | literals.getItem(name).isNotNull()]
    ]
    problems.append(F.when(F.col(contract.primary_key).isNull(), F.lit(f"{contract.primary_key}: required")))
    broken = F.array_compact(F.array(*problems))
    unchanged = F.get_json_object(raw_format.EXTENSION, f"$.{raw_format.UNCHANGED}")
    return raw.select(
        *(value.alias(name) for name, (value, _) in cells.items()),
        *_lineage(contract, plan, cells),
        deleted.alias(c.DELETED),
        F.from_json(unchanged, "array<string>").alias(c.UNCHANGED),
        F.col(c.POSITION),
        _is_replay(plan).alias(c.REPLAY),
        broken.alias(c.BROKEN),
        F.array().cast("array<string>").alias(c.REPAIRS),
        F.when(F.size(broken) > 0, whole_row).alias(c.RAW_ROW),
        F.concat_ws(".", _generation(plan), _sequence()).alias(c.SEQUENCE),
    )


def _source_columns(raw: DataFrame) -> list[str]:
    return [name for name in raw.columns if name not in {*_MACHINERY, *raw_format.RAW_COLUMNS}]


def _judged(deleted: Expression, name: str, contract: TableContract) -> Expression:
    """A delete needs nothing but its key: it is never withheld for another column."""
    return F.lit(True) if name == contract.primary_key else ~deleted


def _form(literal: Expression) -> Expression:
    """What kind of value PostgreSQL had where the raw column's type holds none; nothing for a value that it holds."""
    return (
        F.when(literal.isNull(), "")
        .when(literal.ilike("%infinity"), "infinity ")
        .when(literal.ilike("nan"), "NaN ")
        .when(literal.endswith(" BC"), "a time BC ")
        .when(literal.rlike(r"^\d{5,}-"), "a time after 9999 ")
        .otherwise("its value ")
    )


def _lineage(
    contract: TableContract, plan: TablePlan, cells: dict[str, tuple[Expression, Expression]]
) -> list[Expression]:
    derived = {
        RECORD_KEY: F.concat(F.lit(f"{System.DATABASE}:"), cells[contract.primary_key][0].cast("string")),
        SOURCE_SYSTEM: F.lit(str(System.DATABASE)),
        CHANGE_SEQ: F.concat_ws(
            ".",
            _generation(plan),
            _sequence(),
            _file_time(),
            F.lpad(F.col(c.POSITION).cast("string"), POSITION_DIGITS, "0"),
        ),
        CHANGED_AT: F.to_timestamp(raw_format.COMMIT_TIME, _COMMIT_TIME_FORMAT),
        RAW_FILE: F.regexp_extract("file_path", rf"^.*({raw_format.RAW_DATABASE}/.+)$", 1),
        **month_partition(contract, lambda name: cells[name][0]),
    }
    return [derived[column.name].alias(column.name) for column in contract.lineage_columns]


def _sequence() -> Expression:
    return F.coalesce(F.col(raw_format.SEQUENCE), F.lit(raw_format.LOAD_SEQUENCE))


def _generation(plan: TablePlan) -> Expression:
    """A LOAD row's generation is its file's; a change belongs to the newest load that began before it."""
    started = F.lit(generation_text(0))
    for generation, start in plan.load_starts:
        started = F.when(F.col(raw_format.SEQUENCE) >= start, generation_text(generation)).otherwise(started)
    of_file = F.lit(None).cast("string")
    for generation in sorted({file.generation for file in plan.database_files if file.kind is FileKind.LOAD}):
        names = [f.name for f in plan.database_files if f.kind is FileKind.LOAD and f.generation == generation]
        of_file = F.when(F.col("file_name").isin(names), generation_text(generation)).otherwise(of_file)
    return F.coalesce(of_file, started)


def _file_time() -> Expression:
    """17 digits: the time in a change file's name, the counter in a LOAD file's."""
    time = F.regexp_replace(F.regexp_extract("file_name", r"^(\d{8}-\d{9})", 1), "-", "")
    counter = F.upper(F.regexp_extract("file_name", r"^LOAD([0-9A-Fa-f]{8})", 1))
    return F.lpad(F.when(time != "", time).otherwise(counter), FILE_TIME_DIGITS, "0")


def _is_replay(plan: TablePlan) -> Expression:
    names = [file.name for file in plan.database_files if file.replay]
    return F.col("file_name").isin(names) if names else F.lit(False)
