"""The commit of staged files: all or nothing, and what a crash leaves is mended by the next start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autocorp_assets.local import durable
from autocorp_assets.local.replicator.checkpoint import Checkpoint, Rename, ReplicationError, position
from autocorp_assets.local.replicator.raw_zone import STAGING, RawFileMissingError, RawZone

SCHEMA = pa.schema([("i", pa.int32())])
BEFORE = Checkpoint(slot="s", source="1/autocorp", lake="../lake", generation=1, lsn=10)
FINAL = "raw/database/service/year=2024/month=01/day=02/a.parquet"


def start(folder: Path) -> RawZone:
    """What a fresh process does."""
    for name in ("state", f"lake/{STAGING}"):
        durable.make_folder(folder / name)
    zone = RawZone(lake=folder / "lake", state=folder / "state")
    known = Checkpoint.read(folder / "state")
    zone.recover(() if known is None else known.renames)
    return zone


def stage(zone: RawZone, values: list[int]) -> Checkpoint:
    staged, file = zone.stage(SCHEMA)
    file.append(pa.record_batch([pa.array(values, pa.int32())], schema=SCHEMA))
    file.close()
    return replace(BEFORE, lsn=20, previous_lsn=10, renames=(Rename(staged, FINAL),))


def content(folder: Path) -> list[int]:
    return pq.ParquetFile(folder / "lake" / FINAL).read()["i"].to_pylist()


def test_before_the_checkpoint_nothing_has_happened(tmp_path):
    BEFORE.write(start(tmp_path).state)
    stage(start(tmp_path), [1])
    zone = start(tmp_path)

    assert not list((zone.lake / STAGING).iterdir())
    assert not (zone.lake / FINAL).exists()
    assert position(zone.state) == 10


def test_after_the_checkpoint_the_next_start_ends_the_renames(tmp_path):
    zone = start(tmp_path)
    stage(zone, [1]).write(zone.state)

    assert position(zone.state) == 10, "committed, but not to be seen yet"
    start(tmp_path)
    assert position(zone.state) == 20
    assert content(tmp_path) == [1]


def test_a_part_of_the_next_batch_never_takes_a_committed_files_place(tmp_path):
    zone = start(tmp_path)
    zone.commit(stage(zone, [1]))
    start(tmp_path).stage(SCHEMA)  # and a kill
    start(tmp_path)

    assert content(tmp_path) == [1]


def test_a_committed_file_that_is_gone_is_told(tmp_path):
    zone = start(tmp_path)
    zone.commit(stage(zone, [1]))
    (zone.lake / FINAL).unlink()

    with pytest.raises(RawFileMissingError, match=r"a\.parquet"):
        start(tmp_path)


def test_a_checkpoint_of_another_version_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "checkpoint.json").write_text('{"format": 0}')

    with pytest.raises(ReplicationError, match="move it away"):
        Checkpoint.read(tmp_path)
