"""Views, where query engines find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class ViewsOutcome:
    """What became of views that were to be as the release has them; those not named are so already."""

    made: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)
    """For what, by view: tables or columns that do not exist yet."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why, by view."""


class Views(Protocol):
    """The views that SQL engines know."""

    def bring(self, names: Sequence[str]) -> ViewsOutcome:
        """Have views be what this release makes of the tables as they are: of `queries/views` those named and those
        that they read, and of the tables below them those with the contract's columns.

        Raises CatalogError when nobody can say how they are.
        """
        ...
