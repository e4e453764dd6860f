"""Raw files judged again, and tables made anew from raw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.selection import Selection
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.operations.sync import SyncReport


@dataclass(frozen=True, kw_only=True)
class QuarantineReplay:
    """What judging a table's quarantined rows again came to."""

    table: str
    files: tuple[str, ...]
    """Judged again."""
    missing: tuple[str, ...]
    """No longer in raw: what they have in quarantine stays there."""
    before: int
    """Rows in quarantine before, of `files` and `missing` alike."""
    after: int
    stays: dict[str, int]
    """Rows by reason; one with two reasons counts for both."""
    report: SyncReport | None
    """Of the pass; None when there was nothing to judge."""

    @property
    def left(self) -> int:
        """Rows that are no longer in quarantine, less those that have come into it."""
        return self.before - self.after

    @property
    def ok(self) -> bool:
        return self.report is None or self.report.ok

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON of `autocorp quarantine replay --json`."""
        value = asdict(self) | {"left": self.left, "ok": self.ok}
        value["report"] = self.report.to_dict() if self.report else None
        return value


def replay(
    settings: Settings, selection: Selection, *, on_progress: Callable[[str], None] = lambda _: None
) -> SyncReport:
    """Judges and applies raw files again, in one pass through the Dagster instance.

    Args:
        settings: of the deployment.
        selection: what to judge.
        on_progress: takes one line for the operator.

    Raises:
        SelectionError: it names no raw file.
    """
    from autocorp_assets.curated.requests import REPLAY, ReplayConfig
    from autocorp_assets.lake.selection import selected_files
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.operations.sync import sync

    # A mistake is told before anything runs; the run itself selects again, since raw goes on.
    tables = list(selected_files(LakeStorage(settings.lake), selection))
    config = {REPLAY: ReplayConfig.of(selection).model_dump()}
    return sync(settings, tables, curate=config, on_progress=on_progress)


def rebuild(
    settings: Settings,
    tables: Sequence[str],
    *,
    without_missing: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> SyncReport:
    """Makes tables anew from all that raw has, in one pass through the Dagster instance.

    Args:
        settings: of the deployment.
        tables: their names.
        without_missing: also where raw has lost files from which a table was made.
        on_progress: takes one line for the operator.

    Raises:
        SelectionError: there is no such table.
        RebuildError: raw has lost files of one; nothing was done.
    """
    from autocorp_assets.curated.requests import REBUILD, RebuildConfig
    from autocorp_assets.lake.rebuilding import plan_rebuild
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.operations.sync import sync

    for table in Selection(tables=tuple(tables)).table_names():
        plan_rebuild(LakeStorage(settings.lake), table, without_missing=without_missing)
    config = {REBUILD: RebuildConfig(tables=list(tables), without_missing=without_missing).model_dump()}
    return sync(settings, tables, curate=config, on_progress=on_progress)


def replay_quarantine(
    settings: Settings,
    table: str,
    files: Collection[str] | None = None,
    *,
    on_progress: Callable[[str], None] = lambda _: None,
) -> QuarantineReplay:
    """Judges again the files that have rows in the table's quarantine.

    Args:
        settings: of the deployment.
        table: the table.
        files: only these of them.
        on_progress: takes one line for the operator.
    """
    from autocorp_assets.lake.accounting import FileState, table_accounting
    from autocorp_assets.lake.quarantine import Quarantine
    from autocorp_assets.lake.storage import LakeStorage

    lake = LakeStorage(settings.lake)
    quarantine = Quarantine(lake, TABLES[table])
    before = {file: rows for file, rows in quarantine.files().items() if files is None or file in files}
    states = table_accounting(lake, TABLES[table]).states
    missing = tuple(file for file in before if states.get(file, FileState.GONE) is FileState.GONE)
    found = tuple(file for file in before if file not in missing)
    again = Selection(tables=(table,), files=found)
    report = replay(settings, again, on_progress=on_progress) if found else None
    stays: Counter[str] = Counter()
    for group in quarantine.groups():
        stays.update({group.reason: group.rows} if group.file in before else {})
    after = quarantine.files()
    return QuarantineReplay(
        table=table,
        files=found,
        missing=missing,
        before=sum(before.values()),
        after=sum(after.get(file, 0) for file in before),
        stays=dict(stays.most_common()),
        report=report,
    )
