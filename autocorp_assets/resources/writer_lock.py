"""One writer in the lake at a time, across processes and whatever becomes of them.

Dagster's pool orders the runs of one instance. This lock covers the rest: a second data folder's
instance on the same lake, and the Spark process that a killed run has left behind, which keeps
the lock until it has ended because it inherits the file descriptor (flock belongs to the open
file, not to the process).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = ".writer.lock"
_POLL_SECONDS = 0.5


@contextmanager
def writer_lock(lake: Path, *, on_wait: Callable[[str], None]) -> Generator[int]:
    """Yield the locked file's descriptor, to be passed on to the process that writes.

    Waits for as long as another writer lives; `on_wait` is told once. The lock ends when the last
    process that has the descriptor closes it or dies, so it needs no clean-up.
    """
    lake.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lake / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, on_wait=on_wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, *, on_wait: Callable[[str], None]) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                holder = os.pread(descriptor, 32, 0).decode() or "unknown"
                on_wait(f"waiting for another writer of the lake (started by process {holder}) to end")
                told = True
            time.sleep(_POLL_SECONDS)
        else:
            return
