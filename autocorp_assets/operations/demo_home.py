"""The demo's data folder: its own, and replaced by the next demo."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from autocorp_assets.operations.own_folder import NotFreshError, own_folder
from autocorp_assets.settings import Settings

__all__ = ["MARKER", "NotFreshError", "fresh_home"]

MARKER = "demo.json"


@contextmanager
def fresh_home(settings: Settings) -> Generator[None]:
    """An empty data folder that carries the demo's mark, held for as long as the demo runs.

    Raises:
        NotFreshError: it would destroy something; the message says what to do instead.
        HomeInUseError: another demo, or the platform, runs on it.
    """
    if settings.source_dsn is not None:
        message = (
            "AUTOCORP_SOURCE_DSN is set, and the demo would write its burst of changes into that database: "
            "unset it (`env -u AUTOCORP_SOURCE_DSN make demo`), or use `autocorp sync` to follow the database"
        )
        raise NotFreshError(message)

    def release() -> None:
        _refuse_what_is_in_use(settings)
        _stop_source(settings)

    advice = "give it another folder, AUTOCORP_HOME=.autocorp-demo make demo"
    with own_folder(settings.home_folder, marker=MARKER, made_by="autocorp demo", advice=advice, before=release):
        yield


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
