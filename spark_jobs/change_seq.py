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


def generation_of(sequence: str, load_starts: tuple[tuple[int, str], ...]) -> int:
    """Generation in which a change counts: the newest load that began at or before it.

    `load_starts` holds (generation, start sequence) ascending. A change older than every load
    belongs to generation 0: each load has seen it.
    """
    return max((generation for generation, start in load_starts if start <= sequence), default=0)
