"""The views of database `autocorp` as Athena's statements: each table's own, and those of `queries/views`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.view_files import (
    LAKE_SCHEMA,
    VIEW_SCHEMA,
    VIEWS_FOLDER,
    ViewFile,
    tables_below,
    view_files,
    views_among,
)
from autocorp_assets.query.views import view_query


@dataclass(frozen=True, kw_only=True)
class AthenaView:
    """A view, and what tells whether it has to be made anew."""

    name: str
    statement: str
    """CREATE OR REPLACE VIEW …; empty where `error` says why there is none."""
    description: str
    tables: frozenset[str]
    """Of the lake, that it is made of."""
    reads: frozenset[str] = frozenset()
    """Names of the views that it reads."""
    error: str | None = None
    """What is wrong with its file."""
    digest: str
    """Changes with its statement, with the columns of its tables and with the views that it reads: Athena keeps the
    columns and types that a view had when it was made, and refuses it as stale when they are others."""


def athena_views(folder: Path = VIEWS_FOLDER) -> tuple[AthenaView, ...]:
    """All of them, each after those that it reads."""
    made = [_of_contract(contract) for contract in TABLES.values()]
    files = view_files(folder)
    for file in files:
        # One that is wrong may name what does not exist.
        tables = tables_below(file.reads, files) & TABLES.keys()
        made.append(_of_file(file, frozenset(tables), made))
    return tuple(made)


def _of_contract(contract: TableContract) -> AthenaView:
    columns = ", ".join(f'"{column.name}"' for column in contract.columns)
    # Names are the contract's.
    query = f"SELECT {columns} FROM {LAKE_SCHEMA}.{contract.name}"  # noqa: S608
    statement = f"CREATE OR REPLACE VIEW {VIEW_SCHEMA}.{contract.name} AS {query}"
    tables = frozenset({contract.name})
    return AthenaView(
        name=contract.name,
        statement=statement,
        description=contract.description,
        tables=tables,
        digest=_digest(statement, tables, ()),
    )


def _of_file(file: ViewFile, tables: frozenset[str], made: Iterable[AthenaView]) -> AthenaView:
    statement, error = _without_comment(file.text), None
    try:
        view_query(file)
    except QueryError as wrong:  # Athena would not take it, or it reads what is not there
        statement, error = "", str(wrong)
    digests = {view.name: view.digest for view in made}
    reads = frozenset(views_among(file.reads, digests))
    below = [digests[name] for name in sorted(reads)]
    return AthenaView(
        name=file.name,
        statement=statement,
        description=file.description,
        tables=tables,
        reads=reads,
        error=error,
        digest=_digest(statement, tables, below),
    )


def _without_comment(text: str) -> str:
    """The statement alone: Athena tells by its first word who is to run it."""
    lines = text.strip().rstrip(";").splitlines()
    while lines and (lines[0].startswith("--") or not lines[0].strip()):
        del lines[0]
    return "\n".join(lines)


def _digest(statement: str, tables: Iterable[str], below: Iterable[str]) -> str:
    columns = {name: [(column.name, column.type) for column in TABLES[name].lake_columns] for name in tables}
    said = json.dumps([statement, columns, list(below)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
