"""A stored table whose columns get other types: all rows are written again, in one commit."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import functions as F

from spark_jobs.checkpoint import Checkpoint
from spark_jobs.lake_tables.table import Committed, LakeTable
from spark_jobs.table_shape import SchemaError
from spark_jobs.values import fits


def retype(table: LakeTable, changed: Mapping[str, str], *, checkpoint: Checkpoint) -> Committed:
    """Rewrites the table with these types by column; its history keeps the old ones.

    Args:
        table: in its new shape.
        changed: the columns' new types.
        checkpoint: the one that the table has: the commit carries it forward.

    Raises:
        SchemaError: a stored value does not fit its new type, or the format kept the old one.
    """
    rows = table.all_rows()
    types = dict(rows.dtypes)
    cells = {name: fits(of, F.col(name), types[name]) for name, of in changed.items()}
    for name, (_, misfit) in cells.items():
        if (lost := rows.filter(misfit).count()) > 0:
            message = f"column {name} of the table is {types[name]}: {lost} of its values do not fit {changed[name]}"
            raise SchemaError(message)
    values = {name: value.alias(name) for name, (value, _) in cells.items()}
    committed = table.replace_all(rows.select(*(values.get(name, F.col(name)) for name in rows.columns)), checkpoint)
    _confirm(table, changed)
    return committed


def _confirm(table: LakeTable, changed: Mapping[str, str]) -> None:
    stored = table.columns()
    kept = {name: stored[name] for name, of in changed.items() if stored[name] != of}
    if kept:
        message = f"the table was rewritten and still has the types {kept}, {dict(changed)} were asked for"
        raise SchemaError(message)
