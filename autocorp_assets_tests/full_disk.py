"""A disk without room, as far as an ordinary user can make one: no file may grow beyond a few bytes."""

from __future__ import annotations

import resource
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def full_disk(*, room_bytes: int, process: int = 0) -> Generator[None]:
    """Inside, a write beyond `room_bytes` of any file fails with EFBIG, in this process or another of ours."""
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (room_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)
