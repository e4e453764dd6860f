"""Files that survive a power cut: written, flushed to disk and put in place in one step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def fsync(path: Path) -> None:
    """Make a file's content, or a folder's entries, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync(folder.parent)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a new file durably; its folder's entry is the caller's to fsync."""
    with path.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def replace_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a file: readers, and we after a crash, see the old content or the new, never a part."""
    draft = path.with_name(f".{path.name}.new")
    write_json(draft, content)
    draft.replace(path)
    fsync(path.parent)
