"""Views in Glue's Data Catalog, made by Athena, each with the digest of what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autocorp_assets.query.view_files import VIEW_SCHEMA
from autocorp_assets.resources.aws.athena_ddl import AthenaDdl
from autocorp_assets.resources.aws.glue_tables import table_named, tables_of, update_table

if TYPE_CHECKING:
    from autocorp_assets.query.athena_views import AthenaView

DIGEST = "autocorp_sha256"
"""Table parameter. The text that Athena keeps of a view is not the one that it was given, so it is no use to compare;
and whoever replaces the view by hand replaces the parameters with it, so that the next deployment puts it right."""
DESCRIPTION_CHARACTERS = 2048
"""Glue's limit of a table's description."""


@dataclass(frozen=True, kw_only=True)
class DeployedViews:
    """The views of database `autocorp`. Both methods raise CatalogError."""

    ddl: AthenaDdl = field(repr=False)

    def digests(self) -> Mapping[str, str] | None:
        """By view, in one request; empty for one that was not made here; None while there is no database."""
        tables = tables_of(VIEW_SCHEMA)
        if tables is None:
            return None
        return {name: table.get("Parameters", {}).get(DIGEST, "") for name, table in tables.items()}

    def make(self, view: AthenaView) -> None:
        """Make it, or replace it: at no moment there is none."""
        self.ddl.run(view.statement, what=f"view {VIEW_SCHEMA}.{view.name}")
        table = table_named(VIEW_SCHEMA, view.name)
        changes = {
            "Parameters": {**table.get("Parameters", {}), DIGEST: view.digest},
            "Description": view.description[:DESCRIPTION_CHARACTERS],
        }
        update_table(VIEW_SCHEMA, table, changes)
