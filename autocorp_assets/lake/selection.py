"""Which raw files an operator means: of tables, of one feed, of some days, or by name. `select` is pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from autocorp_assets.contracts import FEEDS, TABLE_BY_FEED, TABLES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.lake.table_files import TableFile, files_called, table_files, table_of
from spark_jobs.plan import FileKind

DATABASE = "database"
"""The feed that every table has; the others are the names of CSV feeds."""


class SelectionError(ValueError):
    """What was asked for names no raw files; the message says what there is."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """All raw files of the tables that meet every condition that is set."""

    tables: tuple[str, ...] = ()
    """None: those that the feed or the files belong to."""
    feed: str | None = None
    """DATABASE or the name of a CSV feed."""
    since: date | None = None
    until: date | None = None
    """Days, both included: of a change file its flush, of a load its start, of a delivery the date in its name."""
    files: tuple[str, ...] = ()
    """By path below the lake's root, by a path that leads into the lake, or by name."""

    @classmethod
    def of_text(
        cls, *, tables: Sequence[str] = (), feed: str = "", since: str = "", until: str = "", files: Sequence[str] = ()
    ) -> Selection:
        """The selection as it is typed; empty texts set no condition.

        Raises:
            SelectionError: a day is none.
        """
        return cls(
            tables=tuple(dict.fromkeys(tables)),
            feed=feed or None,
            since=_day("since", since),
            until=_day("until", until),
            files=tuple(files),
        )

    def table_names(self) -> tuple[str, ...]:
        """The tables that it concerns.

        Raises:
            SelectionError: there is no such table or feed, they do not belong together, or nothing names a table.
        """
        if unknown := [name for name in self.tables if name not in TABLES]:
            raise SelectionError(f"no table {', '.join(unknown)}; there are {', '.join(TABLES)}")
        if self.feed not in (None, DATABASE, *FEEDS):
            raise SelectionError(f"no feed {self.feed}; there are {', '.join((DATABASE, *FEEDS))}")
        fed = TABLE_BY_FEED[self.feed].name if self.feed in FEEDS else None
        if strangers := [name for name in self.tables if fed not in (None, name)]:
            raise SelectionError(f"feed {self.feed} belongs to table {fed}, not to {', '.join(strangers)}")
        named = self.tables or ((fed,) if fed else tuple(_tables_of(self.files)))
        if not named:
            raise SelectionError(f"say which tables: some of {', '.join(TABLES)}")
        return named

    def takes(self, file: TableFile) -> bool:
        """Whether the file is of the feed and the days."""
        of_feed = self.feed is None or (self.feed == DATABASE) == (file.kind is not FileKind.CSV)
        since = self.since is None or file.day >= f"{self.since:%Y%m%d}"
        return of_feed and since and (self.until is None or file.day <= f"{self.until:%Y%m%d}")


def select(
    selection: Selection, raw: Mapping[str, Sequence[TableFile]], *, root: str = ""
) -> dict[str, tuple[str, ...]]:
    """Paths of the selected files by table, only of tables that have some. Pure.

    LOAD files that a newer load has made outdated have to be named: what they say is older than all of the table.

    Args:
        selection: what the operator means.
        raw: the raw files of each table of `selection.table_names()`.
        root: the lake's, to understand paths that lead into it.

    Raises:
        SelectionError: nothing is selected, or a file that was named is not among them.
    """
    paths = [file.path for files in raw.values() for file in files]
    named = {text: files_called(text, root, paths) for text in selection.files}
    if missing := [text for text, found in named.items() if not set(found) <= set(paths) or not found]:
        raise SelectionError(f"{', '.join(missing)} is no raw file of these: {_inventory(raw)}")
    wanted = {path for found in named.values() for path in found}
    found = {
        table: tuple(
            file.path
            for file in (files if selection.files else _without_outdated_loads(files))
            if selection.takes(file) and (not selection.files or file.path in wanted)
        )
        for table, files in raw.items()
    }
    if not any(found.values()):
        raise SelectionError(f"no raw file is selected; there are {_inventory(raw)}")
    return {table: files for table, files in found.items() if files}


def selected_files(lake: LakeStorage, selection: Selection) -> dict[str, tuple[str, ...]]:
    """Paths of the selected files by table. Lists all of the tables' raw.

    Raises:
        SelectionError: as `select`.
    """
    raw = {name: table_files(lake, TABLES[name]) for name in selection.table_names()}
    return select(selection, raw, root=str(lake.root))


def describe_selected(found: Mapping[str, Sequence[str]]) -> str:
    """For the operator, in one line."""
    return "judged again: " + ", ".join(f"{table} ({len(paths):,} raw files)" for table, paths in found.items())


def _without_outdated_loads(files: Sequence[TableFile]) -> list[TableFile]:
    newest = max((file.generation for file in files), default=0)
    return [file for file in files if file.kind is not FileKind.LOAD or file.generation == newest]


def _tables_of(files: Sequence[str]) -> list[str]:
    contracts = [table_of(text) for text in files]
    return list(dict.fromkeys(contract.name for contract in contracts if contract))


def _inventory(raw: Mapping[str, Sequence[TableFile]]) -> str:
    """What raw has of each table, by feed with its days."""
    return "; ".join(f"{table}: {_kinds_of(table, files)}" for table, files in raw.items())


def _kinds_of(table: str, files: Sequence[TableFile]) -> str:
    feed = TABLES[table].csv_feed
    days = {
        DATABASE: sorted(file.day for file in files if file.kind is not FileKind.CSV),
        **({feed.name: sorted(file.day for file in files if file.kind is FileKind.CSV)} if feed else {}),
    }
    told = [
        f"{len(of):,} of {name} from {_written(of[0])} to {_written(of[-1])}" if of else f"none of {name}"
        for name, of in days.items()
    ]
    return ", ".join(told)


def _written(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _day(name: str, text: str) -> date | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 a day has no zone
    except ValueError:
        raise SelectionError(f"{name}: {text} is no day; write it as 2024-11-21") from None
