"""The raw files that count for a table, and what an operator may call them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autocorp_assets.contracts import TABLE_BY_FEED, TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import CHANGE_FILE, RAW_CSV, RAW_DATABASE, table_prefix
from autocorp_assets.lake.storage import LakeStorage
from spark_jobs.plan import FileKind


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """A raw file that a table has to take in."""

    path: str
    """Relative to the lake's root."""
    kind: FileKind
    day: str
    """YYYYMMDD: of a change file its flush, of a LOAD file the load's start, of a delivery the date in its name."""
    etag: str = ""
    """Of a delivery: tells its content."""
    generation: int = 0
    """Of a LOAD file."""

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def table_files(lake: LakeStorage, contract: TableContract) -> list[TableFile]:
    """Change files, LOAD files that a manifest names and whole deliveries, by path. Lists all of the table's raw."""
    return sorted(_table_files(lake, contract), key=lambda file: file.path)


def _table_files(lake: LakeStorage, contract: TableContract) -> Iterator[TableFile]:
    prefix = table_prefix(contract.name)
    loads = {f"{prefix}/{name}": load for load in lake.loads(contract.name) for name in load.files}
    for file in lake.raw_files(prefix):
        if CHANGE_FILE.fullmatch(file.name):
            yield TableFile(path=file.path, kind=FileKind.CHANGE, day=file.name[:8])
        elif load := loads.get(file.path):
            day = f"{load.started_at:%Y%m%d}"
            yield TableFile(path=file.path, kind=FileKind.LOAD, day=day, generation=load.generation)
    for delivery in lake.deliveries(contract.csv_feed.name) if contract.csv_feed else ():
        yield TableFile(path=delivery.path, kind=FileKind.CSV, day=delivery.day, etag=delivery.etag)


def table_of(path: str) -> TableContract | None:
    """The table that a raw path (relative to the lake's root) belongs to; None for any other path."""
    zone, _, below = path.partition("/")
    kind, _, rest = below.partition("/")
    owner = rest.split("/", 1)[0]
    return {RAW_DATABASE: TABLES, RAW_CSV: TABLE_BY_FEED}.get(f"{zone}/{kind}", {}).get(owner)


def files_called(text: str, root: str | Path, known: Iterable[str]) -> list[str]:
    """The raw paths that an operator may mean.

    Args:
        text: a path relative to the lake's root, one that leads into the lake, or only a file's name.
        root: of the lake.
        known: paths of raw files, relative to the lake's root.
    """
    path = _below_root(text, root)
    if table_of(path):
        return [path]
    return sorted({file for file in known if file.rsplit("/", 1)[-1] == path})


def _below_root(text: str, root: str | Path) -> str:
    if isinstance(root, str) and "://" in root:
        return text.removeprefix(f"{root.rstrip('/')}/")
    if table_of(text):
        return text
    absolute = Path(text).expanduser().resolve()
    below = Path(root).resolve()
    return absolute.relative_to(below).as_posix() if absolute.is_relative_to(below) else text
