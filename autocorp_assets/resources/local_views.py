"""The views of one machine: the query engine makes them of their files with each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autocorp_assets.resources.ports.views import ViewsOutcome


@dataclass(frozen=True, kw_only=True)
class LocalViews:
    """Views that are never kept, and so never out of date."""

    def bring(self, names: Sequence[str]) -> ViewsOutcome:  # noqa: ARG002 the port's
        return ViewsOutcome()
