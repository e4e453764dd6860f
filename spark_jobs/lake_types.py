"""Which types hold which: Spark SQL's names of the types of raw files and of the lake. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_DIGITS = 38
_WHOLE_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_SPEAKS_FOR_ITSELF = frozenset({"string", "date", "timestamp", "boolean"})
"""Types whose values have one text, the same in PostgreSQL and in Spark."""


class _Digits(NamedTuple):
    """Digits before and behind the point of an exact number."""

    before: int
    behind: int


def is_exact_number(name: str) -> bool:
    return _digits(name) is not None


def widens(narrow: str, wide: str) -> bool:
    """Whether every value of the one type is a value of the other, so that nothing needs to be looked at."""
    if narrow == wide:
        return True
    if wide == "string":
        return is_exact_number(narrow) or narrow in _SPEAKS_FOR_ITSELF
    if wide == "timestamp":
        return narrow == "date"
    if wide == "double":
        return narrow in {"float", "tinyint", "smallint", "int"}
    of_narrow, of_wide = _digits(narrow), _digits(wide)
    if of_narrow is None or of_wide is None or (wide in _WHOLE_DIGITS) > (narrow in _WHOLE_DIGITS):
        return False
    return of_narrow.before <= of_wide.before and of_narrow.behind <= of_wide.behind


def has_route(raw: str, lake: str) -> bool:
    """Whether a raw column of the one type can feed a lake column of the other.

    It can where the lake's type holds every value, and between exact numbers, where it is told of each
    value whether it survives: one that does not is quarantined. It cannot where a value would change
    without a word (a time to a date, a binary fraction to a decimal), or where it would have to be
    guessed whether text means a number or a date: then the source has changed the meaning of its column,
    and the table stops once instead of filling its quarantine row by row.
    """
    return widens(raw, lake) or (is_exact_number(raw) and is_exact_number(lake))


def common(first: str, second: str) -> str | None:
    """The narrowest type that holds every value of both; None when there is none."""
    if widens(first, second):
        return second
    if widens(second, first):
        return first
    one, other = _digits(first), _digits(second)
    if one is None or other is None:
        return "string" if widens(first, "string") and widens(second, "string") else None
    before, behind = max(one.before, other.before), max(one.behind, other.behind)
    return f"decimal({before + behind},{behind})" if before + behind <= MOST_DIGITS else None


def unnamed_type(raw: str) -> str:
    """Type in which the lake keeps a column that no contract names: the raw one, without the oddly narrow ones."""
    return {"tinyint": "int", "smallint": "int", "float": "double"}.get(raw, raw)


def _digits(name: str) -> _Digits | None:
    if whole := _WHOLE_DIGITS.get(name):
        return _Digits(whole, 0)
    match = _DECIMAL.fullmatch(name)
    return None if match is None else _Digits(int(match[1]) - int(match[2]), int(match[2]))
