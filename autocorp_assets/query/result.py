"""What a query answers, whichever engine ran it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a service that charges by the byte has read for a query."""

    bytes: int
    dollars: float
    """About: before discounts, and by the list price."""


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """All rows of a query."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    """The engine's names: DuckDB's or Athena's."""
    table: pa.Table
    seconds: float
    """From the question to the last row."""
    absent: tuple[str, ...] = ()
    """Tables of the query that do not exist, or did not at the time asked for; they were read as empty."""
    scan: Scan | None = None
    """None where reading is free."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Python values, a row at a time."""
        for batch in self.table.to_batches():
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
