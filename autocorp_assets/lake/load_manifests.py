"""Load manifests of the raw zone: which LOAD files make up a whole load, and of which tables.

One manifest names all tables that a load took in, so that one that cannot be read may concern any of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spark_jobs.plan import LoadManifest

MANIFEST_FIELDS = ("generation", "start_sequence", "started_at", "tables")
_FILE = re.compile(r"(\d{6,})\.json")


@dataclass(frozen=True, kw_only=True)
class LoadManifests:
    """What the manifests say, as far as they can be read."""

    contents: Mapping[int, Mapping[str, Any]]
    """By load generation."""
    unreadable: Mapping[int, str]
    """What is wrong with the others, by load generation."""

    def readable_of(self, table: str) -> list[LoadManifest]:
        """Complete loads that took in the table, oldest first."""
        return [_of_table(content, table) for _, content in sorted(self.contents.items()) if table in content["tables"]]

    def of(self, table: str) -> list[LoadManifest]:
        """The same, where a manifest that cannot be read makes no difference to the table.

        A load replaces whatever was known before it: only what comes after the table's last readable one could matter.

        Raises:
            ValueError: a manifest that may concern the table cannot be read.
        """
        loads = self.readable_of(table)
        last = loads[-1].generation if loads else 0
        if missing := [text for generation, text in sorted(self.unreadable.items()) if generation > last]:
            raise ValueError(f"{'; '.join(missing)}, or load the table anew: autocorp reload {table}")
        return loads


def generation_of(name: str) -> int | None:
    """The load generation whose manifest has this file name; None for another file."""
    match = _FILE.fullmatch(name)
    return int(match[1]) if match else None


def _of_table(content: Mapping[str, Any], table: str) -> LoadManifest:
    return LoadManifest(
        generation=content["generation"],
        start_sequence=content["start_sequence"],
        started_at=datetime.fromisoformat(content["started_at"]),
        files=tuple(content["tables"][table]["files"]),
        rows=content["tables"][table]["rows"],
    )
