"""A load of DMS is recognised by its content: when its files were written, and how many rows they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from autocorp_assets.contracts.raw_format import SEQUENCE_DIGITS
from autocorp_assets.resources.aws.dms_loads import LoadFile, files_of_load, start_sequence
from autocorp_assets.resources.aws.dms_task import LoadTime

START = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
LOAD = LoadTime(start=START, end=START + timedelta(seconds=30))


def file(number: int, rows: int, *, seconds: float) -> LoadFile:
    modified = (START + timedelta(seconds=seconds)).replace(microsecond=0)
    return LoadFile(name=f"LOAD{number:08X}.parquet", modified=modified, rows=rows)


@pytest.mark.parametrize(
    ("files", "rows", "chosen"),
    [
        pytest.param([file(1, 5, seconds=1), file(2, 3, seconds=2)], 8, [1, 2], id="all files of the time"),
        pytest.param([file(1, 5, seconds=0)], 5, [1], id="S3's times are whole seconds"),
        pytest.param([file(1, 5, seconds=1), file(2, 9, seconds=-3600)], 5, [1], id="a stale one of a longer load"),
        pytest.param([file(1, 5, seconds=1), file(2, 9, seconds=-20)], 5, [1], id="a stale one of a minute ago"),
        pytest.param([file(1, 5, seconds=-20), file(2, 3, seconds=-19)], 8, [1, 2], id="S3's clock is behind"),
        pytest.param([file(1, 5, seconds=2), file(2, 3, seconds=1)], 5, [1], id="the first by name"),
        pytest.param([file(1, 5, seconds=-3600)], 0, [], id="an empty table has no file, whatever lies there"),
        pytest.param([file(1, 5, seconds=1)], 6, None, id="too few rows"),
        pytest.param([file(1, 5, seconds=600)], 5, None, id="the next load is already writing"),
        pytest.param([], 1, None, id="nothing yet"),
    ],
)
def test_files_of_a_load(files, rows, chosen):
    names = None if chosen is None else tuple(f"LOAD{number:08X}.parquet" for number in chosen)

    assert files_of_load(files, load=LOAD, rows=rows) == names


def test_the_start_sequence_is_comparable_with_those_of_changes():
    sequence = start_sequence(START)

    assert len(sequence) == SEQUENCE_DIGITS
    assert sequence == "2026010111450050" + "0" * 19
    assert sequence < "2026010112000000" + "0000000000000000001" < "2026010112000100" + "0000000000000000001"
