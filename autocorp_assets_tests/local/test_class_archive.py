"""A half-written archive would keep every JVM from starting, so that it counts for none."""

from __future__ import annotations

import sys
from pathlib import Path

from autocorp_assets.local.class_archive import is_whole


def test_an_archive_is_whole_once_its_beginning_is_written(tmp_path: Path):
    archive = tmp_path / "spark.jsa"

    assert not is_whole(archive)
    archive.write_bytes(bytes(4096))  # as a JVM leaves it that was killed over it
    assert not is_whole(archive)
    archive.write_bytes((0xF00BABA8).to_bytes(4, sys.byteorder) + bytes(4092))
    assert is_whole(archive)
