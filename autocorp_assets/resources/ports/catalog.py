"""What query engines know of the curated tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class CatalogTable:
    """What the catalog says of a table."""

    columns: Mapping[str, str]
    """Types by name, as Spark SQL has them."""
    remedy: str
    """What to do when they are not the stored table's."""
    complaints: tuple[str, ...] = ()
    """What else would keep engines from reading the table as it is, each with its remedy."""


class CatalogError(RuntimeError):
    """Tables cannot be found by SQL engines, or the catalog cannot be asked; the message says why and what to do."""


class Catalog(Protocol):
    """Where SQL engines find the tables of the lake. Both methods raise CatalogError."""

    def register(self, stored: Mapping[str, Mapping[str, str]]) -> Sequence[str]:
        """Make sure that tables can be queried, with the columns that they have; what was done for that, in words.

        Cheap when nothing has to be done. What can be done is, also when CatalogError then tells of the rest.

        Args:
            stored: the columns of tables that have a commit, and their types by Spark SQL's names, by table.
        """
        ...

    def describe(self, tables: Sequence[str]) -> Mapping[str, CatalogTable]:
        """Those of the tables that the catalog knows, by name."""
        ...
