"""Where each column of a view comes from, read from the view's SQL. Imports sqlglot: for a run, not for loading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.schema import MappingSchema

from autocorp_assets.asset_keys import curated_key, view_key
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import Column
from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.view_files import LAKE_SCHEMA, VIEW_SCHEMA, VIEWS_FOLDER, ViewFile, view_files
from autocorp_assets.query.views import load_views, view_query
from autocorp_assets.record_tables import records_table
from autocorp_assets.table_metadata import source_columns

LAKE_TYPE = {"varchar": "string", "integer": "int"}
"""The lake's names of types that query engines have under another; the rest are the same."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A column that a view's column is made of."""

    table: str
    """A curated table, or another view."""
    column: str

    @property
    def contracted(self) -> Column | None:
        """What the table's contract says of it."""
        contract = TABLES.get(self.table)
        named = {column.name: column for column in contract.lake_columns} if contract else {}
        return named.get(self.column)

    @property
    def asset_key(self) -> dg.AssetKey:
        return curated_key(self.table) if self.table in TABLES else view_key(self.table)


@dataclass(frozen=True, kw_only=True)
class ViewColumn:
    """A column of a view."""

    name: str
    expression: str
    """Athena's SQL of it, as the view has it."""
    origins: tuple[Origin, ...]
    is_plain: bool
    """It is its only origin, passed on as it is."""

    @property
    def description(self) -> str:
        """The contract's words for a column that is passed on, else how it is made."""
        contracted = self.origins[0].contracted if self.is_plain else None
        return contracted.description if contracted else f"Made by {self.expression}"

    @property
    def is_personal(self) -> bool:
        return any(origin.contracted and origin.contracted.personal for origin in self.origins)


def columns_of(name: str, folder: Path = VIEWS_FOLDER) -> tuple[ViewColumn, ...]:
    """The columns of a view, in order.

    Raises:
        QueryError: its SQL, or that of a view below it, is wrong.
    """
    files = {file.name: file for file in view_files(folder)}
    known: dict[str, tuple[ViewColumn, ...]] = {}
    for view in load_views(folder):
        try:
            known[view.name] = _columns(files[view.name], known)
        except QueryError:
            if view.name == name:
                raise
        if view.name == name:
            return known[name]
    message = f"there is no view {name}"
    raise QueryError(message)


def column_schema(types: Mapping[str, str], columns: Iterable[ViewColumn]) -> dg.TableSchema:
    """What the catalogue of Dagster shows of a view.

    Args:
        types: of every column, by name, as the query engine says them.
        columns: what is known of them beyond that.
    """
    known = {column.name: column for column in columns}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=LAKE_TYPE.get(of.lower(), of.lower()),
                description=known[name].description if name in known else None,
                tags={"personal": ""} if name in known and known[name].is_personal else {},
            )
            for name, of in types.items()
        ]
    )


def made_of(columns: Iterable[ViewColumn], folder: Path = VIEWS_FOLDER) -> dg.TableMetadataValue:
    """The lineage as a table, down to the source: the open-source UI has no other place for it."""
    rows = [
        {
            "column": column.name,
            "made of": ", ".join(f"{origin.table}.{origin.column}" for origin in column.origins),
            "in the source": ", ".join(dict.fromkeys(_in_source(column.origins, folder))),
        }
        for column in columns
    ]
    return records_table(rows, ("column", "made of", "in the source"))


def _in_source(origins: Iterable[Origin], folder: Path) -> Iterator[str]:
    for origin in origins:
        if contract := TABLES.get(origin.table):
            yield from source_columns(contract).get(origin.column, ())
        else:
            below = {column.name: column for column in columns_of(origin.table, folder)}
            yield from _in_source(below[origin.column].origins, folder)


def column_lineage(columns: Iterable[ViewColumn]) -> dg.TableColumnLineage:
    """The columns of curated tables and other views that each column is made of."""
    return dg.TableColumnLineage(
        deps_by_column={
            column.name: [
                dg.TableColumnDep(asset_key=origin.asset_key, column_name=origin.column) for origin in column.origins
            ]
            for column in columns
        }
    )


def _columns(file: ViewFile, known: Mapping[str, tuple[ViewColumn, ...]]) -> tuple[ViewColumn, ...]:
    views = {name: {column.name: "unknown" for column in columns} for name, columns in known.items()}
    schema: dict[str, object] = {
        LAKE_SCHEMA: {name: {c.name: c.type for c in contract.lake_columns} for name, contract in TABLES.items()},
        VIEW_SCHEMA: {name: {c.name: c.type for c in contract.columns} for name, contract in TABLES.items()} | views,
    }
    query = view_query(file)
    written = {select.alias_or_name: select.unalias().sql("athena") for select in query.selects}
    try:
        nodes = lineage(None, query, MappingSchema(schema, dialect="athena"), dialect="athena", trim_selects=False)
    except SqlglotError as error:
        message = f"{file.path.name}: {error}"
        raise QueryError(message) from error
    return tuple(_column(name, written.get(name, name), node) for name, node in nodes.items())


def _column(name: str, expression: str, root: Node) -> ViewColumn:
    nodes = list(root.walk())
    leaves = [node for node in nodes if isinstance(node.source, exp.Table)]
    # A UNION is a node of its own above the columns of its branches.
    made = [node for node in nodes if not isinstance(node.source, (exp.Table, exp.SetOperation))]
    origins = {Origin(table=leaf.source.name, column=leaf.name.rpartition(".")[2].strip('"')) for leaf in leaves}
    return ViewColumn(
        name=name,
        expression=expression,
        origins=tuple(sorted(origins, key=lambda origin: (origin.table, origin.column))),
        is_plain=len(origins) == 1 and all(isinstance(node.expression.unalias(), exp.Column) for node in made),
    )
