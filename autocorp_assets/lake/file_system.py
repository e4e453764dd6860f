"""Where a lake is: the one place that tells local folders from URLs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


def open_file_system(root: str | Path) -> tuple[FileSystem, str]:
    """The file system of a local path or of a URL that pyarrow.fs understands, and the root's path in it."""
    from pyarrow.fs import LocalFileSystem

    if isinstance(root, Path) or "://" not in root:
        return LocalFileSystem(), str(Path(root).absolute())
    return _open_url(root)


@cache
def _open_url(root: str) -> tuple[FileSystem, str]:
    """One for the process: each has connections and credentials of its own, and may ask S3 where the bucket is."""
    from pyarrow.fs import FileSystem

    file_system, path = FileSystem.from_uri(root)
    return file_system, path.rstrip("/")


def open_location(place: str) -> tuple[FileSystem, str]:
    """The file system of an absolute path or URL, as `location` gives them, and the path in it."""
    if "://" not in place:
        return open_file_system(place)
    scheme, _, path = place.partition("://")
    # A URL of a key would be decoded, and the names of some of our objects hold what looks like an escape.
    return _open_url(f"{scheme}://{path.partition('/')[0]}")[0], path


def location(root: str | Path, path: str) -> str:
    """The absolute path or URL of a path relative to the root."""
    if isinstance(root, Path) or "://" not in root:
        return str(Path(root).absolute() / path)
    return f"{root.rstrip('/')}/{path}"
