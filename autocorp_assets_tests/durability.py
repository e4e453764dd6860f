"""What would be left after a power cut: files and folders that were flushed to disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


class Flushed:
    """Notes what is flushed from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._inodes: set[tuple[int, int]] = set()
        real = os.fsync

        def fsync(descriptor: int) -> None:
            real(descriptor)
            self._inodes.add(_inode(os.fstat(descriptor)))

        monkeypatch.setattr(os, "fsync", fsync)

    def missing(self, root: Path, *patterns: str) -> list[str]:
        """Files that match, and folders on the way to them, that were not flushed: each could be lost."""
        files = [path for pattern in patterns for path in root.glob(pattern) if path.is_file()]
        assert files, "nothing was written"
        folders = {parent for file in files for parent in file.parents if parent.is_relative_to(root)}
        return sorted(str(path) for path in {*files, *folders} if _inode(path.stat()) not in self._inodes)


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
