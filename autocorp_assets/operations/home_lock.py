"""A data folder belongs to one platform or demo at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = ".platform.lock"


class HomeInUseError(RuntimeError):
    """Another `autocorp dev` or `autocorp demo` has the data folder."""


@contextmanager
def hold_home(home: Path) -> Generator[None]:
    """Holds the data folder, which is made if missing; the lock goes with the process, however it ends.

    Raises:
        HomeInUseError: somebody else holds it; the message says who.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            message = (
                f"`autocorp dev` or `autocorp demo` already runs on {home} (process {lock.read().strip()}): "
                "stop that one first, or give this one another folder with AUTOCORP_HOME"
            )
            raise HomeInUseError(message) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
