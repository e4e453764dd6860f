"""SQL over the lake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from autocorp_assets.query.result import QueryResult


class Query(Protocol):
    """Answers Athena's SQL over the lake as it is now."""

    def run(self, sql: str, *, parameters: Sequence[object] = ()) -> QueryResult:
        """The rows of one statement that only reads.

        Args:
            sql: in Athena's SQL; tables without a schema are those of `autocorp`.
            parameters: values for the statement's `?`.

        Raises QueryError when the statement cannot be run; the message is for the analyst.
        """
        ...
