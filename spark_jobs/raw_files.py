"""Raw Parquet files, read without guessing: their columns and types are those of their footers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from autocorp_assets.contracts.raw_format import RAW_COLUMNS
from spark_jobs import columns as c

FILE_PATH = "_file_path"
FILE_NAME = "_file_name"
MACHINERY = (FILE_PATH, FILE_NAME, c.POSITION)
_READERS = 8
"""Footers read at a time: on S3 each waits for two requests."""


class RawFileError(RuntimeError):
    """A raw file is no whole Parquet file."""


@dataclass(frozen=True, kw_only=True)
class RawFiles:
    """Files that have the same columns of the same types, and so are one read."""

    paths: tuple[str, ...]
    """Relative to the lake's root."""
    types: Mapping[str, str]
    """Spark SQL's name of each column's type, in the order of the first file."""
    unreadable: Mapping[str, str]
    """Columns that Spark has no type for, such as times in nanoseconds, and what Parquet calls theirs."""

    @property
    def source_types(self) -> dict[str, str]:
        """The source's own readable columns and their types."""
        return {name: of for name, of in self.types.items() if name not in RAW_COLUMNS}


def grouped(spark: SparkSession, lake: str, paths: Iterable[str]) -> tuple[RawFiles, ...]:
    """The files by their columns and types, whatever the order of the columns.

    Raises:
        RawFileError: a file has no footer.
    """
    paths = list(paths)
    with ThreadPoolExecutor(max_workers=_READERS) as pool:
        footers = list(pool.map(lambda path: _footer(spark, lake, path), paths))
    columns_of = {str(text): _columns(spark, schema) for text, schema in footers}
    groups: dict[frozenset[tuple[str, str]], list[str]] = {}
    shapes: dict[frozenset[tuple[str, str]], tuple[dict[str, str], dict[str, str]]] = {}
    for path, (text, _) in zip(paths, footers, strict=True):
        types, unreadable = columns_of[text]
        same = frozenset({**types, **unreadable}.items())
        shapes.setdefault(same, (types, unreadable))
        groups.setdefault(same, []).append(path)
    return tuple(
        RawFiles(paths=tuple(found), types=shapes[same][0], unreadable=shapes[same][1])
        for same, found in groups.items()
    )


def read(spark: SparkSession, lake: str, files: RawFiles) -> DataFrame:
    """The files' readable columns, with file and row position."""
    schema = ", ".join(f"{quoted(name)} {of}" for name, of in files.types.items())
    return (
        spark.read.schema(schema)
        .parquet(*(f"{lake}/{path}" for path in files.paths))
        .select(
            "*",
            F.col("_metadata.file_path").alias(FILE_PATH),
            F.col("_metadata.file_name").alias(FILE_NAME),
            F.col("_metadata.row_index").alias(c.POSITION),
        )
    )


def quoted(name: str) -> str:
    """A column's name in Spark's SQL, whatever is in it."""
    return f"`{name.replace('`', '``')}`"


def _footer(spark: SparkSession, lake: str, path: str) -> tuple[str, Any]:
    """The file's schema as text, which is the same for the same columns, and as Parquet's object."""
    jvm: Any = spark.sparkContext._jvm
    configuration: Any = spark.sparkContext._jsc.hadoopConfiguration()
    try:
        where = jvm.org.apache.hadoop.fs.Path(f"{lake}/{path}")
        reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(
            jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(where, configuration)
        )
        try:
            schema = reader.getFileMetaData().getSchema()
        finally:
            reader.close()
    except Py4JJavaError as error:
        message = (
            f"{path} is not a whole Parquet file ({error.java_exception.getMessage()}): "
            "put the whole file in its place under the same name, and run again"
        )
        raise RawFileError(message) from error
    return schema.toString(), schema


def _columns(spark: SparkSession, schema: Any) -> tuple[dict[str, str], dict[str, str]]:
    """(Spark's type, Parquet's type where Spark has none) by name."""
    jvm: Any = spark.sparkContext._jvm
    parquet = jvm.org.apache.spark.sql.execution.datasources.parquet
    converter = parquet.ParquetToSparkSchemaConverter(spark._jsparkSession.sessionState().conf())
    types: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for field in schema.getFields():
        alone = jvm.java.util.ArrayList()
        alone.add(field)
        try:
            converted = converter.convert(jvm.org.apache.parquet.schema.MessageType(field.getName(), alone))
        except AnalysisException:
            unreadable[field.getName()] = " ".join(
                part for part in field.toString().split() if part not in {"optional", "required", field.getName()}
            )
        else:
            types[field.getName()] = StructType.fromJson(json.loads(converted.json()))[0].dataType.simpleString()
    return types, unreadable
