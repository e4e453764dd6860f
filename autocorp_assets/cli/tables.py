"""Rows on a terminal, or whole in a pipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PIPE_WIDTH = 1000
"""Characters: whoever reads it from a file or a pipe wants whole names."""


def print_table(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Numbers to the right; a missing value is a dash, and nothing steers the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*names, box=None, padding=(0, 1))
    for row in rows:
        table.add_row(*(Text(_cell(value), justify="right" if isinstance(value, int) else "left") for value in row))
    console = Console()
    (console if console.is_terminal else Console(width=PIPE_WIDTH)).print(table)


def printable(text: str) -> str:
    """Without control characters: a value must not steer the terminal that it is shown on."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))
