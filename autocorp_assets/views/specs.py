"""What Dagster knows of a view before it has been asked: what its file says, without parsing SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import dagster as dg

from autocorp_assets.asset_keys import curated_key, view_key
from autocorp_assets.contracts import TABLES
from autocorp_assets.query.view_files import VIEW_SCHEMA, ViewFile, tables_below, views_among
from autocorp_assets.table_metadata import code_reference, try_query, zone_tags

GROUP = "views"


def view_spec(file: ViewFile, files: Iterable[ViewFile], *, condition: dg.AutomationCondition) -> dg.AssetSpec:
    """The asset of one view among all `files`."""
    others = {other.name: other for other in files if other.name != file.name}
    below = {name for name in tables_below(file.reads, others.values()) if name in TABLES}
    tables = {name for _, name in file.reads if name in TABLES}
    return dg.AssetSpec(
        key=view_key(file.name),
        deps=[*map(curated_key, sorted(tables)), *map(view_key, sorted(views_among(file.reads, others)))],
        skippable=True,  # a view that is broken must not fail the others
        description=file.description,
        group_name=GROUP,
        kinds={"sql", "view"},
        owners=sorted({TABLES[name].owner for name in below}),
        tags=zone_tags(GROUP, is_personal=may_show_people(file, others.values())),
        code_version=hashlib.sha256(file.text.encode()).hexdigest()[:12],
        automation_condition=condition,
        metadata={
            "dagster/table_name": f"{VIEW_SCHEMA}.{file.name}",
            "dagster/code_references": code_reference(file.path, label="SQL"),
            "sql": dg.MetadataValue.md(f"```sql\n{file.text.strip()}\n```"),
            "try_it": try_query(file.name),
        },
    )


def may_show_people(file: ViewFile, others: Iterable[ViewFile]) -> bool:
    """Whether its SQL, or that of a view below it, names a column with personal data; to what end is not looked at."""
    views = {other.name: other for other in others}
    names = {name for _, table in file.reads if table in TABLES for name in TABLES[table].personal_columns}
    below = (views[name] for name in views_among(file.reads, views))
    return not names.isdisjoint(file.words) or any(may_show_people(view, views.values()) for view in below)
