"""Views in Glue's Data Catalog, made by Athena, each with the digest of what it was made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autocorp_assets.contracts import TABLES
from autocorp_assets.query.view_files import VIEW_SCHEMA
from autocorp_assets.resources.aws.athena_ddl import AthenaDdl
from autocorp_assets.resources.aws.glue_tables import columns_of, table_named, tables_of, update_table
from autocorp_assets.resources.ports.catalog import CatalogError
from autocorp_assets.resources.ports.views import ViewsOutcome
from autocorp_assets.table_metadata import DATABASE_NAME

if TYPE_CHECKING:
    from autocorp_assets.query.athena_views import AthenaView

DIGEST = "autocorp_sha256"
"""Table parameter. The text that Athena keeps of a view is not the one that it was given, so it is no use to compare;
and whoever replaces the view by hand replaces the parameters with it, so that the next deployment puts it right."""
DESCRIPTION_CHARACTERS = 2048
"""Glue's limit of a table's description."""


@dataclass(frozen=True, kw_only=True)
class OutdatedView:
    """A view that is not what this release makes of the tables as they are."""

    view: AthenaView
    digest: str
    """Which it has once it is made."""
    is_there: bool
    lacking: str
    """What it waits for, in words; empty when it can be made."""


@dataclass(frozen=True, kw_only=True)
class DeployedViews:
    """Views in database `autocorp`. All methods raise CatalogError."""

    ddl: AthenaDdl = field(repr=False)

    def bring(self, names: Sequence[str]) -> ViewsOutcome:
        """Two requests while nothing has to be done."""
        from autocorp_assets.query.athena_views import athena_views

        tables, digests = tables_of(DATABASE_NAME), self.digests()
        if tables is None or digests is None:
            raise CatalogError("Glue's catalog lacks a database: run `autocorp deploy`, which makes it")
        wanted = [*needed(names, athena_views())]
        catalogued = {name: columns_of(table) for name, table in tables.items()}
        made: list[str] = []
        waiting: dict[str, str] = {}
        failed: dict[str, str] = {}
        for one in outdated_views(wanted, digests=digests, tables=catalogued):
            if one.lacking:
                waiting[one.view.name] = one.lacking
                continue
            try:
                self.make(one)
            except CatalogError as error:
                failed[one.view.name] = str(error)
            else:
                made.append(one.view.name)
        return ViewsOutcome(made=tuple(made), waiting=waiting, failed=failed)

    def digests(self) -> Mapping[str, str] | None:
        """By view, in one request; empty for one that was not made here; None while there is no database."""
        tables = tables_of(VIEW_SCHEMA)
        if tables is None:
            return None
        return {name: table.get("Parameters", {}).get(DIGEST, "") for name, table in tables.items()}

    def make(self, outdated: OutdatedView) -> None:
        """Make it, or replace it: at no moment there is none."""
        view = outdated.view
        if view.error:
            raise CatalogError(f"view {VIEW_SCHEMA}.{view.name}: {view.error}")
        self.ddl.run(view.statement, what=f"view {VIEW_SCHEMA}.{view.name}")
        table = table_named(VIEW_SCHEMA, view.name)
        changes = {
            "Parameters": {**table.get("Parameters", {}), DIGEST: outdated.digest},
            "Description": view.description[:DESCRIPTION_CHARACTERS],
        }
        update_table(VIEW_SCHEMA, table, changes)


def outdated_views(
    wanted: Iterable[AthenaView], *, digests: Mapping[str, str], tables: Mapping[str, Mapping[str, str]]
) -> Iterator[OutdatedView]:
    """Those that have to be made, in their order. Pure.

    Args:
        wanted: the release's views.
        digests: of the views that are there, by name.
        tables: the lake's tables in the catalog, with their columns' types.
    """
    for view in wanted:
        digest = _digest(view, tables)
        if view.error or digests.get(view.name) != digest:
            yield OutdatedView(
                view=view,
                digest=digest,
                is_there=view.name in digests,
                lacking="" if view.error else _lacking(view.tables, tables),
            )


def needed(names: Iterable[str], views: Sequence[AthenaView]) -> Iterator[AthenaView]:
    """The views of these names, those that they read, and those of the tables below; in their order."""
    by_name = {view.name: view for view in views}
    found: set[str] = set()
    todo = [name for name in names if name in by_name]
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            todo += [*by_name[name].reads, *by_name[name].tables]
    return (view for view in views if view.name in found)


def _digest(view: AthenaView, tables: Mapping[str, Mapping[str, str]]) -> str:
    """Also of the columns that the tables really have: a contract may be ahead of them for some time, and a view that
    was made then would have types that are refused as stale later on."""
    columns = {name: sorted(tables.get(name, {}).items()) for name in sorted(view.tables)}
    return hashlib.sha256(json.dumps([view.digest, columns]).encode()).hexdigest()


def _lacking(names: Iterable[str], tables: Mapping[str, Mapping[str, str]]) -> str:
    """Tables and contracted columns that are not in the catalog, and so cannot be in a view."""
    absent = sorted(name for name in names if name not in tables)
    if absent:
        return f"{', '.join(absent)}, which the first curation brings"
    hidden = [
        f"{name}.{column.name}"
        for name in sorted(names)
        for column in TABLES[name].lake_columns
        if column.name.lower() not in tables[name]
    ]
    return f"{', '.join(hidden)}, which the next commit brings" if hidden else ""
