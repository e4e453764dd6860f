"""Rows as metadata that the Dagster UI shows as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg


def records_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dg.TableMetadataValue:
    """Rows as a table that the UI shows; numbers stay numbers, and what is not there is empty."""
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _cell(row.get(name)) for name in columns}) for row in rows],
        schema=dg.TableSchema(columns=[dg.TableColumn(name=name) for name in columns]),
    )


def _cell(value: object) -> str | int | float | bool:
    if isinstance(value, (bool, int, float)):
        return value
    return "" if value is None else str(value)
