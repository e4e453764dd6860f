"""Requests to load single tables anew: durable files, which outlive whoever asks and whoever serves.

Each request is a file of its own below `reload/` of the state folder. It is removed once the load that
serves it is committed (a crash in between serves it again, which changes nothing), and keeps the reason
when it cannot be served.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autocorp_assets.local import durable

FOLDER = "reload"


@dataclass(frozen=True, kw_only=True)
class ReloadRequest:
    """One table to be loaded anew, at a moment after it was asked for."""

    path: Path
    table: str
    requested_at: str
    error: str | None = None
    """Why it was set aside."""

    @classmethod
    def read(cls, path: Path) -> ReloadRequest | None:
        """The request as it stands, None when it has been served."""
        try:
            return cls(path=path, **json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be served, as of now."""
        now = self.read(self.path)
        return now is not None and now.error is None

    def take_answer(self) -> str | None:
        """Why it was set aside, which is forgotten with that; None when it was served."""
        now = self.read(self.path)
        if now is None or now.error is None:
            return None
        now.settle()
        return now.error

    def settle(self) -> None:
        """Forget it: it was served, or its error was told."""
        self.path.unlink(missing_ok=True)

    def set_aside(self, error: str) -> None:
        """It cannot be served: it is not tried again."""
        replace(self, error=error).write()

    def write(self) -> None:
        content = {"table": self.table, "requested_at": self.requested_at, "error": self.error}
        durable.replace_json(self.path, content)


def request_reload(state: Path, table: str) -> ReloadRequest:
    """Ask for a table, whether a replicator runs or not; what was set aside of that table is forgotten."""
    folder = state.resolve() / FOLDER
    durable.make_folder(folder)
    for former in _requests(state):
        if former.table == table and former.error:
            former.settle()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    request = ReloadRequest(path=folder / f"{table}-{secrets.token_hex(4)}.json", table=table, requested_at=now)
    request.write()
    return request


def pending_requests(state: Path) -> Sequence[ReloadRequest]:
    """What is still to be served."""
    return [request for request in _requests(state) if request.error is None]


def _requests(state: Path) -> list[ReloadRequest]:
    paths = sorted((state / FOLDER).glob("[!.]*.json"))
    return [request for path in paths if (request := ReloadRequest.read(path)) is not None]
