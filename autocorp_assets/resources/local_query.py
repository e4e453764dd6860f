"""Queries on this machine, by DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.query.view_files import VIEWS_FOLDER

if TYPE_CHECKING:
    from autocorp_assets.query.result import QueryResult


@dataclass(frozen=True, kw_only=True)
class LocalQuery:
    """Query over the lake at `lake`; DuckDB is loaded by the first one."""

    lake: Path
    views: Path = VIEWS_FOLDER

    def run(self, sql: str, *, parameters: Sequence[object] = ()) -> QueryResult:
        from autocorp_assets.query.engine import LakeQuery

        return LakeQuery(self.lake, views=self.views).run(sql, parameters=parameters)
