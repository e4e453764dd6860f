"""The one order in which changes of a record are applied: fixed-width text, greater is later.

Parts are padded so that text order is change order, in Spark, Hudi, Delta and Athena alike.
"""

from __future__ import annotations

GENERATION_DIGITS = 6
FILE_TIME_DIGITS = 17
POSITION_DIGITS = 12
ORDINAL_DIGITS = 6


def generation_text(generation: int) -> str:
    """Load generation, the leading part of a database row's change_seq."""
    return f"{generation:0{GENERATION_DIGITS}d}"
