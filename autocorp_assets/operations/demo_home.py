"""The demo's data folder: its own, and replaced by the next demo."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from autocorp_assets.operations.home_lock import LOCK_FILE, hold_home
from autocorp_assets.settings import Settings

MARKER = "demo.json"


class NotFreshError(ValueError):
    """The data folder holds something that the demo did not make, or is in use."""


@contextmanager
def fresh_home(settings: Settings) -> Generator[None]:
    """An empty data folder that carries the demo's mark, held for as long as the demo runs.

    Raises:
        NotFreshError: it would destroy something; the message says what to do instead.
        HomeInUseError: another demo, or the platform, runs on it.
    """
    home = settings.home_folder
    if settings.source_dsn is not None:
        message = (
            "AUTOCORP_SOURCE_DSN is set, and the demo would write its burst of changes into that database: "
            "unset it (`env -u AUTOCORP_SOURCE_DSN make demo`), or use `autocorp sync` to follow the database"
        )
        raise NotFreshError(message)
    _refuse_what_is_not_ours(home)
    with hold_home(home):
        _refuse_what_is_in_use(settings)
        _stop_source(settings)
        # Marked before anything is removed or made: whenever it is killed, the next demo knows its own.
        (home / MARKER).write_text(json.dumps({"made_by": "autocorp demo", "at": datetime.now(UTC).isoformat()}))
        for path in _contents(home):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        yield


def _contents(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.name not in {MARKER, LOCK_FILE}] if home.exists() else []


def _refuse_what_is_not_ours(home: Path) -> None:
    if _contents(home) and not (home / MARKER).exists():
        message = (
            f"{home} holds data that the demo did not make, and a demo starts from nothing: "
            "give it another folder, AUTOCORP_HOME=.autocorp-demo make demo"
        )
        raise NotFreshError(message)


def _refuse_what_is_in_use(settings: Settings) -> None:
    from autocorp_assets.local.replicator.status import read_status

    status = read_status(settings.replication_folder)
    if status is not None and status.is_alive:
        message = (
            f"{settings.home_folder} is in use (its replicator runs as process {status.pid}): stop `autocorp dev`, "
            "or give the demo another folder, AUTOCORP_HOME=.autocorp-demo make demo"
        )
        raise NotFreshError(message)


def _stop_source(settings: Settings) -> None:
    from autocorp_assets.local.source.connection import embedded

    if (settings.source_folder).exists() and (server := embedded(settings)).is_running():
        server.stop()
