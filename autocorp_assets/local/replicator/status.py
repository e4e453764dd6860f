"""What the replicator tells about itself, for sensors, checks and the command line."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from autocorp_assets.local.replicator.checkpoint import ReplicationError, position

__all__ = ["Phase", "ReplicationStatus", "StatusFile", "exclusive", "position", "read_status"]

FILE = "status.json"
LOCK = "lock"
_WRITE_SECONDS = 1.0


class Phase(StrEnum):
    STARTING = "starting"
    LOADING = "loading"
    STREAMING = "streaming"
    RECONNECTING = "reconnecting"
    """The source is away; `error` says why, and it is tried again."""
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class ReplicationStatus:
    """The replicator of one state folder. All times are UTC, ISO 8601."""

    phase: Phase = Phase.STARTING
    pid: int = 0
    updated_at: str = ""
    lsn: int | None = None
    """What raw has passed, as of `updated_at`; `status.position` is exact."""
    generation: int = 0
    generation_reason: str | None = None
    """Why tables were loaded, or loaded again, since the process started."""
    rows_loaded: dict[str, int] = field(default_factory=dict)
    changes: int = 0
    """Changes written since the state folder exists."""
    last_commit_time: str | None = None
    last_flush_at: str | None = None
    retained_bytes: int | None = None
    """Log that the source keeps for the slot."""
    error: str | None = None
    is_alive: bool = False
    """Whether a replicator holds the lock of the state folder now; not what the file says."""


class StatusFile:
    """Writes the status, at most once a second unless the phase changes."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._written = 0.0
        self.status = ReplicationStatus(pid=os.getpid())

    def update(self, **changes: Any) -> None:
        before = self.status
        self.status = replace(before, **changes)
        if self.status.phase != before.phase or time.monotonic() - self._written >= _WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Replace the file; losing it in a power cut loses nothing, so it is not flushed."""
        self._written = time.monotonic()
        content = asdict(replace(self.status, updated_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())))
        del content["is_alive"]
        draft = self._path.with_name(f".{FILE}.new")
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
        draft.replace(self._path)


def read_status(state: Path) -> ReplicationStatus | None:
    """The last status that was written, None when no replicator ever ran there."""
    try:
        content = json.loads((state / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    phase = Phase(content.pop("phase"))
    return ReplicationStatus(**content, phase=phase, is_alive=_is_locked(state))


@contextlib.contextmanager
def exclusive(state: Path) -> Generator[None]:
    """Hold a folder's lock, which the kernel releases when the process ends, however it ends.

    Raises:
        ReplicationError: another replicator holds it; the text names its process.
    """
    path = state / LOCK
    with path.open("a+", encoding="utf-8") as lock:
        try:
            # Who asks whether we live takes the lock for a moment.
            for attempt in Retrying(
                retry=retry_if_exception_type(BlockingIOError), stop=stop_after_delay(0.5), wait=wait_fixed(0.05)
            ):
                with attempt:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except RetryError:
            pid = path.read_text(encoding="utf-8").strip() or "unknown"
            msg = f"process {pid} replicates to {state} already: stop it first"
            raise ReplicationError(msg) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _is_locked(state: Path) -> bool:
    try:
        with (state / LOCK).open(encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
