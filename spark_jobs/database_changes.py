"""Raw Parquet of the database, LOAD and change files alike, as one batch of changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from autocorp_assets.contracts import raw_format
from autocorp_assets.contracts.model import CHANGE_SEQ, CHANGED_AT, RAW_FILE, RECORD_KEY, SOURCE_SYSTEM, TableContract
from autocorp_assets.contracts.model import SourceSystem as System
from spark_jobs import columns as c
from spark_jobs import raw_files
from spark_jobs.change_seq import FILE_TIME_DIGITS, POSITION_DIGITS, generation_text
from spark_jobs.partitions import month_partition
from spark_jobs.plan import FileKind, TablePlan
from spark_jobs.raw_files import FILE_NAME, FILE_PATH, RawFiles
from spark_jobs.table_shape import Misfit, SchemaError, misfits, source_names
from spark_jobs.values import fits

_COMMIT_TIME_FORMAT = "yyyy-MM-dd HH:mm:ss.SSSSSS"


def grouped(spark: SparkSession, plan: TablePlan, lake: str) -> tuple[RawFiles, ...]:
    """The plan's files, by the columns and types that they have.

    Raises:
        RawFileError: a file is no whole Parquet file.
        SchemaError: a change file does not say in which order its changes were made.
    """
    files = raw_files.grouped(spark, lake, (file.path for file in plan.database_files))
    changes = {file.path for file in plan.database_files if file.kind is FileKind.CHANGE}
    unordered = [p for group in files if raw_format.SEQUENCE not in group.types for p in group.paths if p in changes]
    if unordered:
        message = (
            f"{plan.table}: change files without column {raw_format.SEQUENCE} cannot be put in order (file "
            f"{unordered[0]}, {len(unordered)} in all): have the capture write it (DMS: an add-column rule with "
            "$AR_H_CHANGE_SEQ), move these files away and reload the table"
        )
        raise SchemaError(message)
    return files


def unknown_columns(files: Sequence[RawFiles], contract: TableContract) -> tuple[str, ...]:
    """Columns that the source sends and the contract does not name."""
    found = dict.fromkeys(name for group in files for name in group.source_types)
    return tuple(name for name in found if name not in contract.column_by_name)


def read_changes(
    spark: SparkSession, files: Sequence[RawFiles], plan: TablePlan, shape: TableContract, lake: str
) -> DataFrame:
    """All changes of these files.

    Args:
        spark: the session.
        files: the plan's, see `grouped`.
        plan: what the run does to the table.
        shape: the table's contract, with the columns that it does not name.
        lake: the lake's root.

    Raises:
        SchemaError: a column has a type from which there is no lossless way to the table's. Files whose every
            row a newer load has superseded do not raise it: they are what a reload has mended.
    """
    return reduce(DataFrame.unionByName, (_group_changes(spark, group, plan, shape, lake) for group in files))


def _group_changes(spark: SparkSession, files: RawFiles, plan: TablePlan, shape: TableContract, lake: str) -> DataFrame:
    raw = raw_files.read(spark, lake, files)
    absent = [name for name in raw_format.RAW_COLUMNS if name not in raw.columns]
    raw = raw.select("*", *(F.lit(None).cast("string").alias(name) for name in absent))
    bad = misfits(shape, files)
    if bad:
        counts = raw.filter(_generation(plan) >= generation_text(plan.next_generation)).select(_raw_path()).first()
        if counts is not None:
            raise SchemaError(_no_way(shape, bad, counts[0]))
    left_out = {misfit.column for misfit in bad}
    types = {name: of for name, of in files.source_types.items() if name not in left_out}
    return as_changes(raw, types, plan, shape)


def _no_way(shape: TableContract, bad: Sequence[Misfit], file: str) -> str:
    found = "; ".join(
        f"column {misfit.column} is {misfit.raw_type} there, "
        + (
            f"from which there is no lossless way to the table's {misfit.wanted}"
            if misfit.wanted
            else "which Spark cannot read"
        )
        for misfit in bad
    )
    return (
        f"{shape.name}: {found} (file {file}). Nothing of this batch was applied and raw keeps it all. "
        f"Curation goes on by itself once this is resolved: change the contract of {shape.name}; or change the source "
        "back and reload the table; or put a mended file in its place under the same name"
    )


def as_changes(raw: DataFrame, types: dict[str, str], plan: TablePlan, shape: TableContract) -> DataFrame:
    """One row a change: the table's columns, lineage, and the batch's own columns.

    A LOAD row is an insert at the lowest place of its generation. A missing, null or empty Op is an
    insert (DMS user guide: LOAD files carry no Op unless IncludeOpForFullLoad is set).

    Args:
        raw: the rows of files of one shape, with all of the raw format's own columns.
        types: the source's columns in it and their types; a column of the table that is not among them is NULL.
        plan: what the run does to the table.
        shape: the table's contract, with the columns that it does not name.
    """
    whole_row = F.to_json(
        F.struct(*(F.col(raw_files.quoted(name)) for name in raw.columns if name not in raw_files.MACHINERY))
    )
    sources = source_names(shape)
    deleted = F.coalesce(F.col(raw_format.OP), F.lit("I")) == "D"
    literals = F.from_json(F.get_json_object(raw_format.EXTENSION, f"$.{raw_format.LITERAL}"), "map<string,string>")
    cells: dict[str, tuple[Expression, Expression]] = {}
    for source_name, column in sources.items():
        value, lost = F.lit(None).cast(column.type), F.lit(False)
        if source_name in types:
            value, lost = fits(column.type, F.col(raw_files.quoted(source_name)), types[source_name])
        cells[column.name] = value, lost | literals.getItem(source_name).isNotNull()
    problems = [
        F.when(
            misfit & _judged(deleted, column.name, shape),
            F.concat(
                F.lit(f"{column.name}: "), _form(literals.getItem(source_name)), F.lit(f"does not fit {column.type}")
            ),
        )
        for source_name, column in sources.items()
        for _, misfit in [cells[column.name]]
    ]
    problems.append(F.when(cells[shape.primary_key][0].isNull(), F.lit(f"{shape.primary_key}: required")))
    broken = F.array_compact(F.array(*problems))
    return raw.select(
        *(value.alias(name) for name, (value, _) in cells.items()),
        *_lineage(shape, plan, cells),
        deleted.alias(c.DELETED),
        _unchanged(shape).alias(c.UNCHANGED),
        F.col(c.POSITION),
        _is_replay(plan).alias(c.REPLAY),
        broken.alias(c.BROKEN),
        F.array().cast("array<string>").alias(c.REPAIRS),
        F.when(F.size(broken) > 0, whole_row).alias(c.RAW_ROW),
        F.concat_ws(".", _generation(plan), _sequence()).alias(c.SEQUENCE),
    )


def _unchanged(shape: TableContract) -> Expression:
    """The columns that the change did not carry, by the lake's names."""
    names = F.from_json(F.get_json_object(raw_format.EXTENSION, f"$.{raw_format.UNCHANGED}"), "array<string>")
    for column in shape.unnamed_columns:
        if column.source_name != column.name:
            names = F.transform(names, _renaming(column.source_name, column.name))
    return names


def _renaming(old: str, new: str) -> Callable[[Expression], Expression]:
    return lambda name: F.when(name == old, new).otherwise(name)


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
        RAW_FILE: _raw_path(),
        **month_partition(contract, lambda name: cells[name][0]),
    }
    return [derived[column.name].alias(column.name) for column in contract.lineage_columns]


def _raw_path() -> Expression:
    """The file's path relative to the lake's root."""
    return F.regexp_extract(FILE_PATH, rf"^.*({raw_format.RAW_DATABASE}/.+)$", 1)


def _sequence() -> Expression:
    """A LOAD row has none: the replicator writes no such column there, DMS an empty one."""
    sequence = F.col(raw_format.SEQUENCE)
    return F.when(sequence == "", raw_format.LOAD_SEQUENCE).otherwise(
        F.coalesce(sequence, F.lit(raw_format.LOAD_SEQUENCE))
    )


def _generation(plan: TablePlan) -> Expression:
    """A LOAD row's generation is its file's; a change belongs to the newest load that began before it."""
    started = F.lit(generation_text(0))
    for generation, start in plan.load_starts:
        started = F.when(F.col(raw_format.SEQUENCE) >= start, generation_text(generation)).otherwise(started)
    of_file = F.lit(None).cast("string")
    for generation in sorted({file.generation for file in plan.database_files if file.kind is FileKind.LOAD}):
        names = [f.name for f in plan.database_files if f.kind is FileKind.LOAD and f.generation == generation]
        of_file = F.when(F.col(FILE_NAME).isin(names), generation_text(generation)).otherwise(of_file)
    return F.coalesce(of_file, started)


def _file_time() -> Expression:
    """17 digits: the time in a change file's name, the counter in a LOAD file's."""
    time = F.regexp_replace(F.regexp_extract(FILE_NAME, r"^(\d{8}-\d{9})", 1), "-", "")
    counter = F.upper(F.regexp_extract(FILE_NAME, r"^LOAD([0-9A-Fa-f]{8})", 1))
    return F.lpad(F.when(time != "", time).otherwise(counter), FILE_TIME_DIGITS, "0")


def _is_replay(plan: TablePlan) -> Expression:
    names = [file.name for file in plan.database_files if file.replay]
    return F.col(FILE_NAME).isin(names) if names else F.lit(False)
