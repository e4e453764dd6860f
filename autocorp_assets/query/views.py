"""The views of `queries/views`, in Athena's SQL, each in a file of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import sqlglot
from sqlglot import exp

from autocorp_assets.contracts import TABLES
from autocorp_assets.query.dialect import DEFAULT_SCHEMA, LAKE_SCHEMA, Catalog, to_duckdb
from autocorp_assets.settings import PROJECT_FOLDER

VIEWS_FOLDER = PROJECT_FOLDER / "queries" / "views"


@dataclass(frozen=True, kw_only=True)
class View:
    """A view in schema `autocorp`."""

    name: str
    sql: str
    """DuckDB's statement that creates it."""
    reads: frozenset[tuple[str, str]]
    """(schema, name) of the tables and views below it."""


@cache
def load_views(folder: Path = VIEWS_FOLDER) -> tuple[View, ...]:
    """All views, each after those that it reads.

    Raises:
        ValueError: a file is not `CREATE OR REPLACE VIEW … AS …`, or views read each other in a circle.
    """
    views = {view.name: view for view in map(_view, sorted(folder.glob("*.sql")))}
    order = TopologicalSorter({name: _views_among(view.reads, views) for name, view in views.items()})
    return tuple(views[name] for name in order.static_order())


def lake_catalog() -> Catalog:
    """The tables and views that a query may name."""
    views = {view.name for view in load_views()}
    return Catalog({LAKE_SCHEMA: frozenset(TABLES), DEFAULT_SCHEMA: frozenset(TABLES) | views})


def tables_below(names: Iterable[tuple[str, str]], views: Iterable[View]) -> frozenset[str]:
    """Names of the lake's tables that these tables and views are made of."""
    by_name = {view.name: view for view in views}
    found: set[str] = set()
    for schema, name in names:
        view = by_name.get(name) if schema == DEFAULT_SCHEMA else None
        found |= {name} if view is None else tables_below(view.reads, by_name.values())
    return frozenset(found)


def _view(path: Path) -> View:
    tree = sqlglot.parse_one(path.read_text(), read="athena")
    if not isinstance(tree, exp.Create) or tree.kind != "VIEW":
        message = f"{path.name} must be one CREATE OR REPLACE VIEW statement"
        raise ValueError(message)
    query, name = tree.expression, tree.this.name
    own = {cte.alias for cte in query.find_all(exp.CTE)}
    reads = frozenset(
        (table.db or DEFAULT_SCHEMA, table.name)
        for table in query.find_all(exp.Table)
        if table.db or table.name not in own
    )
    return View(name=name, sql=f'CREATE VIEW {DEFAULT_SCHEMA}."{name}" AS {to_duckdb(query)}', reads=reads)


def _views_among(reads: Iterable[tuple[str, str]], views: Iterable[str]) -> set[str]:
    return {name for schema, name in reads if schema == DEFAULT_SCHEMA} & set(views)
