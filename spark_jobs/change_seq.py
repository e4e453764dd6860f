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


def database_change_seq(generation: int, sequence: str, file_name: str, position: int) -> str:
    """Of a row of a LOAD or change file, as `database_changes` writes it.

    Args:
        generation: of the LOAD file, or of the newest load that began before the change; 0 before any.
        sequence: the change's 35 digits.
        file_name: without folders.
        position: ordinal of the row in its file, from 0.
    """
    time = "".join(file_name[:18].split("-")) if file_name[:8].isdigit() else file_name[4:12].upper()
    place = f"{time:0>{FILE_TIME_DIGITS}}.{position:0{POSITION_DIGITS}d}"
    return f"{generation_text(generation)}.{sequence}.{place}"


def csv_change_seq(day: str, ordinal: int, position: int) -> str:
    """Of a row of a delivery, as `csv_rows` writes it.

    Args:
        day: YYYYMMDD, the date in the file's name.
        ordinal: of the delivery's arrival, from 1.
        position: ordinal of the row in its file, from 1.
    """
    return f"{day}.{ordinal:0{ORDINAL_DIGITS}d}.{position:0{POSITION_DIGITS}d}"
