"""The views of `queries/views`, in Athena's SQL, each in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from autocorp_assets.contracts import TABLES
from autocorp_assets.query.dialect import Catalog, to_duckdb
from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.view_files import LAKE_SCHEMA, VIEW_SCHEMA, VIEWS_FOLDER, ViewFile, view_files


@dataclass(frozen=True, kw_only=True)
class View:
    """A view in schema `autocorp`."""

    name: str
    sql: str
    """DuckDB's statement that creates it; empty where `error` says why there is none."""
    reads: frozenset[tuple[str, str]]
    """(schema, name) of the tables and views below it."""
    error: str | None = None
    """What is wrong with its file. Only this view and those that read it are affected."""


@cache
def load_views(folder: Path = VIEWS_FOLDER) -> tuple[View, ...]:
    """All views, in the order of `view_files`."""
    return tuple(_view(file) for file in view_files(folder))


def view_query(file: ViewFile) -> exp.Query:
    """The query of a view, as Athena's.

    Raises:
        QueryError: the file is not one `CREATE OR REPLACE VIEW autocorp.<its name> AS …` of tables that are named
            with their schema.
    """
    try:
        tree = sqlglot.parse_one(file.text, read="athena")
    except SqlglotError as error:
        message = f"{file.path.name}: {error}"
        raise QueryError(message) from error
    if not isinstance(tree, exp.Create) or tree.kind != "VIEW" or tree.this.name.lower() != file.name:
        message = f"{file.path.name} must be one statement: CREATE OR REPLACE VIEW {VIEW_SCHEMA}.{file.name} AS …"
        raise QueryError(message)
    query = tree.expression
    own = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    named = {(table.db.lower(), table.name.lower()) for table in query.find_all(exp.Table)}
    if bare := {name for schema, name in named if not schema} - own:
        message = f"{file.path.name} must name the schema of {', '.join(sorted(bare))}: autocorp_lake or {VIEW_SCHEMA}"
        raise QueryError(message)
    if (parsed := {(schema, name) for schema, name in named if schema}) != file.reads:
        message = (
            f"{file.path.name} reads {sorted(parsed)}, and its text names {sorted(file.reads)}: write names plainly"
        )
        raise QueryError(message)
    if unknown := sorted(name for _, name in parsed if name not in TABLES and name not in _names(file)):
        message = f"{file.path.name}: there is no table or view {', '.join(unknown)}"
        raise QueryError(message)
    return query


def lake_catalog(folder: Path = VIEWS_FOLDER) -> Catalog:
    """The tables and views that a query may name."""
    views = {view.name for view in view_files(folder)}
    return Catalog({LAKE_SCHEMA: frozenset(TABLES), VIEW_SCHEMA: frozenset(TABLES) | views})


def _names(file: ViewFile) -> set[str]:
    return {other.name for other in view_files(file.path.parent)}


def _view(file: ViewFile) -> View:
    try:
        sql = f'CREATE VIEW {VIEW_SCHEMA}."{file.name}" AS {to_duckdb(view_query(file))}'
    except QueryError as error:
        return View(name=file.name, sql="", reads=file.reads, error=str(error))
    return View(name=file.name, sql=sql, reads=file.reads)
