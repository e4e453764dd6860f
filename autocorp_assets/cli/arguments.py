"""What an operator names on the command line: tables and raw files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from autocorp_assets.lake.storage import LakeStorage


def the_file(lake: LakeStorage, text: str, tables: Iterable[str]) -> str:
    """The one raw file that an operator means.

    Raises:
        typer.Exit: none has that name, or several do; they are listed.
    """
    from autocorp_assets.lake.accounting import find_files

    found = find_files(lake, text, tables)
    if len(found) == 1:
        return found[0]
    if found:
        typer.secho(f"error: {len(found)} files have this name, give the path of one:", fg=typer.colors.RED, err=True)
        for path in found:
            typer.echo(f"  {path}", err=True)
    else:
        reason = f"error: {text} is neither in raw nor in the audit of {', '.join(tables)}"
        typer.secho(reason, fg=typer.colors.RED, err=True)
    raise typer.Exit(1)


def known_table(name: str) -> str:
    """The name, if there is such a table.

    Raises:
        typer.BadParameter: there is none.
    """
    from autocorp_assets.contracts import TABLES

    if name not in TABLES:
        message = f"no table {name}; there are {', '.join(TABLES)}"
        raise typer.BadParameter(message)
    return name
