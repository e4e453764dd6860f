"""Figures and texts as a person reads them. Pure."""

from __future__ import annotations

import re
from datetime import datetime

REASON_CHARACTERS = 600
MASK = "•••"
_QUOTED = re.compile(r"""(?<![\w`])(?:'[^'\n]*'|"[^"\n]*")(?![\w`])""")
_ADDRESS = re.compile(r"[^\s@,;:()<>]+@[^\s@,;:()<>]+\.\w+")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def counted(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def age(seconds: float) -> str:
    """How long ago, with one unit; a moment below a minute."""
    if seconds < _MINUTE:
        return "less than a minute"
    for size, noun in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= 2 * size or (seconds >= size and size == _MINUTE):
            return counted(int(seconds // size), noun)
    return counted(int(seconds // _MINUTE), "minute")


def moment(at: datetime) -> str:
    """`2024-11-21 10:30 UTC`."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def without_values(text: str) -> str:
    """A message of a program, cut short, without what may be a person's: anything quoted, and addresses.

    Errors of Spark and PostgreSQL quote the value that they stumbled over.
    """
    masked = _ADDRESS.sub(MASK, _QUOTED.sub(MASK, text.strip()))
    return masked if len(masked) <= REASON_CHARACTERS else f"{masked[:REASON_CHARACTERS].rstrip()} …"
