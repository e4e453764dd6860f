"""Queries on this machine, by DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocorp_assets.query.result import QueryResult


@dataclass(frozen=True, kw_only=True)
class LocalQuery:
    """Query over the lake at `lake`; DuckDB is loaded by the first one."""

    lake: Path

    def run(self, sql: str, *, parameters: Sequence[object] = ()) -> QueryResult:
        from autocorp_assets.query.engine import LakeQuery

        return LakeQuery(self.lake).run(sql, parameters=parameters)
