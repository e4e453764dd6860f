"""The files of `queries/views` as far as their text tells, without parsing SQL: cheap enough for every process."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Protocol

from autocorp_assets.settings import PROJECT_FOLDER

VIEWS_FOLDER = PROJECT_FOLDER / "queries" / "views"
LAKE_SCHEMA = "autocorp_lake"
"""Tables as they are stored, with the columns that the lake adds."""
VIEW_SCHEMA = "autocorp"
"""The contracts' columns, and the views."""
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TEXT = re.compile(r"'(?:[^']|'')*'")
_WORD = re.compile(r"\w+")
_TABLE = re.compile(rf"\b({LAKE_SCHEMA}|{VIEW_SCHEMA})\s*\.\s*(\w+)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ViewFile:
    """A view, named as its file is."""

    name: str
    path: Path
    text: str

    @property
    def description(self) -> str:
        """The comment that the file begins with."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return " ".join(lines)

    @property
    def reads(self) -> frozenset[tuple[str, str]]:
        """(schema, name) of the tables and views below it: each is named with its schema, which parsing confirms."""
        found = _TABLE.findall(self._code)
        named = {(schema.lower(), name.lower()) for schema, name in found}
        return frozenset(named - {(VIEW_SCHEMA, self.name)})

    @property
    def words(self) -> frozenset[str]:
        """Keywords and names of its SQL, in lower case."""
        return frozenset(word.lower() for word in _WORD.findall(self._code))

    @property
    def _code(self) -> str:
        """The SQL without comments, its texts empty."""
        return _TEXT.sub("''", _COMMENT.sub(" ", self.text))


@cache
def view_files(folder: Path = VIEWS_FOLDER) -> tuple[ViewFile, ...]:
    """All views, each after those that it reads.

    Raises:
        ValueError: views read each other in a circle.
    """
    found = (ViewFile(name=path.stem, path=path, text=path.read_text()) for path in sorted(folder.glob("*.sql")))
    files = {file.name: file for file in found}
    order = TopologicalSorter({name: views_among(file.reads, files) for name, file in files.items()})
    return tuple(files[name] for name in order.static_order())


class Reader(Protocol):
    """A view, parsed or not."""

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> frozenset[tuple[str, str]]:
        """(schema, name) of the tables and views below it."""
        ...


def views_among(reads: Iterable[tuple[str, str]], names: Iterable[str]) -> set[str]:
    """Which of these names are views that are read."""
    return {name for schema, name in reads if schema == VIEW_SCHEMA} & set(names)


def views_below(names: Iterable[tuple[str, str]], views: Iterable[Reader]) -> frozenset[str]:
    """Names of the views among these tables and views, and of those that they read."""
    by_name = {view.name: view for view in views}
    found: set[str] = set()
    for name in views_among(names, by_name):
        found |= {name, *views_below(by_name[name].reads, by_name.values())}
    return frozenset(found)


def tables_below(names: Iterable[tuple[str, str]], views: Iterable[Reader]) -> frozenset[str]:
    """Names of the lake's tables that these tables and views are made of."""
    by_name = {view.name: view for view in views}
    found: set[str] = set()
    for schema, name in names:
        view = by_name.get(name) if schema == VIEW_SCHEMA else None
        found |= {name} if view is None else tables_below(view.reads, by_name.values())
    return frozenset(found)
