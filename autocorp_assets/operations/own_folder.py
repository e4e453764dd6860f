"""Folders that a command makes for itself, empties when it runs again, and never takes from anybody else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from autocorp_assets.operations.home_lock import LOCK_FILE, hold_home


class NotFreshError(ValueError):
    """The folder holds something that the command did not make, or is in use."""


@contextmanager
def own_folder(
    folder: Path, *, marker: str, made_by: str, advice: str, before: Callable[[], None] = lambda: None
) -> Generator[None]:
    """An empty folder that carries the command's mark, held for as long as the command runs.

    Args:
        folder: made if missing, emptied if the command made it.
        marker: name of the file that tells whose folder it is.
        made_by: the command, as it is to be named to people.
        advice: what to do when the folder is somebody else's.
        before: called when the folder is held, and may refuse before anything is removed.

    Raises:
        NotFreshError: it would destroy something; the message says what to do instead.
        HomeInUseError: somebody else holds the folder.
    """
    if _contents(folder, marker) and not (folder / marker).exists():
        message = f"{folder} holds data that {made_by} did not make, and it starts from nothing: {advice}"
        raise NotFreshError(message)
    with hold_home(folder):
        before()
        # Marked before anything is removed or made: whenever it is killed, the next one knows its own.
        (folder / marker).write_text(json.dumps({"made_by": made_by, "at": datetime.now(UTC).isoformat()}))
        for path in _contents(folder, marker):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        yield


def _contents(folder: Path, marker: str) -> list[Path]:
    return [path for path in folder.iterdir() if path.name not in {marker, LOCK_FILE}] if folder.exists() else []
