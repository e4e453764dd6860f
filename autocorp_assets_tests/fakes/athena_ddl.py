"""Athena's statements that change the catalog, on moto's Glue: Delta tables and views.

From AWS's documents: a native Delta table is made without columns, which Athena takes from the log; a view is a table
of type VIRTUAL_VIEW with `presto_view`, whose text is not the one that was given; a view of tables that are not there,
or of a query that is wrong, is refused; CREATE OR REPLACE replaces parameters too.

Not AWS: statements are told apart by patterns, and queries are judged by our own engine.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import sqlglot
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from moto.glue.models import GlueBackend, glue_backends
from sqlglot import exp

from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.query.errors import QueryError
from autocorp_assets_tests.fakes.athena import athena_queries
from autocorp_assets_tests.fakes.server import ACCOUNT, REGION

_DELTA = re.compile(
    r"CREATE EXTERNAL TABLE IF NOT EXISTS `(?P<database>\w+)`\.`(?P<table>\w+)` "
    r"LOCATION '(?P<location>(?:[^'\\]|\\.)+)/' TBLPROPERTIES \('table_type'='DELTA'\)"
)
_VIEW = re.compile(r"CREATE OR REPLACE VIEW (?P<database>\w+)\.(?P<view>\w+) AS\b(?P<query>.*)", re.DOTALL)
SPARK_TYPE = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint", "timestamp_ntz": "timestamp"}


def change_catalog(statement: str) -> list[list[str]] | None:
    """For `AthenaQueries.on_ddl`."""
    if delta := _DELTA.fullmatch(statement):
        _create_delta(delta["database"], delta["table"], delta["location"].replace("\\'", "'"))
    elif view := _VIEW.fullmatch(statement):
        _replace_view(view["database"], view["view"], view["query"])
    else:
        return None
    return []


def _create_delta(database: str, table: str, location: str) -> None:
    glue = _glue(database)
    if table in glue.databases[database].tables:
        return
    try:
        fields = DeltaTable(location).schema().fields
    except TableNotFoundError as error:
        raise QueryError(f"FAILED: SemanticException the Delta log at {location} was not found") from error
    types = {field.name: str(getattr(field.type, "type", field.type)) for field in fields}
    columns = [{"Name": name.lower(), "Type": SPARK_TYPE.get(of, of)} for name, of in types.items()]
    serde = {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"}
    storage = {"Columns": columns, "Location": f"{location}/", "SerdeInfo": serde}
    _put(glue, database, table, {"StorageDescriptor": storage, "TableType": "EXTERNAL_TABLE", "PartitionKeys": []}, {
        "EXTERNAL": "TRUE",
        "table_type": "delta",
    })  # fmt: skip


def _replace_view(database: str, view: str, query: str) -> None:
    glue = _glue(database)
    tree = sqlglot.parse_one(query, read="athena")
    for table in tree.find_all(exp.Table):
        if table.db and table.name not in _glue(table.db).databases[table.db].tables:
            raise QueryError(
                f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{table.db}.{table.name}' does not exist"
            )
    if athena_queries.lake is None:
        raise QueryError("the test has not said where the lake is (athena_queries.lake)")
    result = LakeQuery(athena_queries.lake).run(f"SELECT * FROM ({query}) LIMIT 0")  # noqa: S608 a test's own
    columns = [{"name": name, "type": of.lower()} for name, of in zip(result.columns, result.types, strict=True)]
    said = {"originalSql": tree.sql(dialect="athena", comments=False, pretty=True), "columns": columns}
    text = base64.b64encode(json.dumps(said).encode()).decode()
    listed = [{"Name": column["name"], "Type": column["type"]} for column in columns]
    described = {
        "TableType": "VIRTUAL_VIEW",
        "ViewOriginalText": f"/* Presto View: {text} */",
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {"Columns": listed, "Location": "", "SerdeInfo": {}},
        "PartitionKeys": [],
    }
    _put(glue, database, view, described, {"presto_view": "true", "comment": "Presto View"})


def _put(glue: GlueBackend, database: str, name: str, described: dict[str, Any], parameters: dict[str, str]) -> None:
    table = {"Name": name, **described, "Parameters": parameters}
    if name in glue.databases[database].tables:
        glue.update_table(database, name, table)
    else:
        glue.create_table(database, name, table)


def _glue(database: str) -> GlueBackend:
    backend = glue_backends[ACCOUNT][REGION]
    if database not in backend.databases:
        raise QueryError(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{database}' does not exist")
    return backend


def view_query(table: dict[str, Any]) -> str:
    """The query of a view, as the shape Table holds it."""
    text = table["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    return json.loads(base64.b64decode(text))["originalSql"]
