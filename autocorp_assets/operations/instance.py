"""The Dagster instance of a data folder, as headless commands use it."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.settings import PROJECT_FOLDER, Settings

if TYPE_CHECKING:
    import dagster as dg

INSTANCE_CONFIG = "dagster.yaml"
WATCH_SECONDS = 5.0


def prepare_home(settings: Settings) -> Path:
    """DAGSTER_HOME, also in the environment: the data folder's, with the project's dagster.yaml in it.

    One that the `aws` deployment shares with other machines is taken as it is configured.
    """
    if settings.shared_dagster_home is not None:
        return settings.shared_dagster_home
    home = settings.dagster_folder
    home.mkdir(parents=True, exist_ok=True)
    wanted = (PROJECT_FOLDER / INSTANCE_CONFIG).read_bytes()
    installed = home / INSTANCE_CONFIG
    if not installed.exists() or installed.read_bytes() != wanted:
        draft = home / f".{INSTANCE_CONFIG}.{os.getpid()}"
        draft.write_bytes(wanted)
        draft.replace(installed)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextmanager
def open_instance(settings: Settings) -> Generator[dg.DagsterInstance]:
    """The instance, shared with a running `autocorp dev` of the same data folder."""
    import dagster as dg

    with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
        yield instance


@contextmanager
def without_dead_runs(settings: Settings, instance: dg.DagsterInstance) -> Generator[None]:
    """Keep runs of killed processes from holding the writer's slot, before and while inside.

    A headless command has no daemon to do so, and would otherwise wait for ever for a slot whose
    holder is gone. Runs of a live `autocorp dev` are left alone. Of an instance that is shared nothing
    is touched: processes of its runs are on other machines, and its own daemon watches them.
    """
    if settings.shared_dagster_home is not None:
        yield
        return
    from autocorp_assets.automation.dead_runs import fail_dead_runs

    fail_dead_runs(instance)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(WATCH_SECONDS):
            fail_dead_runs(instance)

    watcher = threading.Thread(target=watch, name="dead-runs", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
