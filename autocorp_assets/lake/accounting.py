"""Whether every raw file of a table was accounted for: raw, audit and what is pending, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.audit import Account, read_accounts, standing_accounts
from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.lake.table_files import TableFile, files_called, table_files, table_of
from spark_jobs.plan import FileKind


class FileState(StrEnum):
    """How a raw file stands."""

    ACCOUNTED = "accounted for"
    PENDING = "pending"
    """The next run takes it in, for the first time or with other content than before."""
    WAITING = "waiting"
    """In raw, but no run may read it yet: its load is not complete, or its delivery not whole."""
    OUTDATED = "outdated"
    """A LOAD file without an account, but the table stands on a newer load."""
    UNACCOUNTED = "not accounted for"
    """In raw, whole, nobody has accounted for it and no run will: rows may be missing from the table."""
    GONE = "gone"
    """Accounted for, and no longer in raw."""
    UNKNOWN = "unknown"
    """Neither in raw nor in the audit."""


@dataclass(frozen=True, kw_only=True)
class TableAccounting:
    """A table's raw files, what runs have said of them, and what is still to be read."""

    contract: TableContract
    files: tuple[TableFile, ...]
    """In raw, by path."""
    pending: frozenset[str]
    """Paths that the next run takes in."""
    generation: int
    """Load that the table stands on, or is about to; 0 without a complete one, for which changes wait."""
    accounts: tuple[Account, ...]
    """Oldest first."""

    @cached_property
    def standing(self) -> dict[str, Account]:
        return standing_accounts(self.accounts)

    @cached_property
    def states(self) -> dict[str, FileState]:
        """By path, of every file in raw or in the audit."""
        in_raw = {file.path: self._state(file) for file in self.files}
        return {**dict.fromkeys(self.standing, FileState.GONE), **in_raw}

    def _state(self, file: TableFile) -> FileState:
        account = self.standing.get(file.path)
        if file.path in self.pending:
            return FileState.PENDING
        # What was written before the content was noted is taken at its word.
        if account and (not file.etag or account.etag in (None, "", file.etag)):
            return FileState.ACCOUNTED
        if file.kind is FileKind.CHANGE and self.generation == 0:
            return FileState.WAITING
        if file.kind is FileKind.LOAD and file.generation < self.generation:
            return FileState.OUTDATED
        return FileState.UNACCOUNTED

    def in_state(self, state: FileState) -> list[str]:
        """Paths, in order."""
        return sorted(path for path, found in self.states.items() if found is state)

    @property
    def not_adding_up(self) -> list[Account]:
        """Standing accounts in which rows were lost or doubled."""
        return [account for account in self.standing.values() if not account.adds_up]


@dataclass(frozen=True, kw_only=True)
class FileAudit:
    """All that is known of one raw file."""

    table: str
    file: str
    is_in_raw: bool
    state: FileState
    accounts: tuple[Account, ...]
    """Oldest first."""


def table_accounting(lake: LakeStorage, contract: TableContract, *, mentioning: str = "") -> TableAccounting:
    """Reads raw's listing, then what is pending, then the audit.

    In that order a run that goes on meanwhile does no harm: a file that is listed and no longer pending
    has its account.

    Args:
        lake: the lake.
        contract: the table.
        mentioning: only accounts of files whose path holds this text; other files then count as unaccounted.
    """
    files = table_files(lake, contract)
    plan = lake.pending_plans([contract.name])[contract.name]
    return TableAccounting(
        contract=contract,
        files=tuple(files),
        pending=frozenset(file.path for file in plan.files if not file.replay),
        generation=plan.next_generation,
        accounts=tuple(read_accounts(lake, contract, mentioning=mentioning)),
    )


def audit_file(lake: LakeStorage, path: str) -> FileAudit:
    """How one raw file stands, and every account of it.

    Args:
        lake: the lake.
        path: relative to the lake's root, below a table's or a feed's folder in raw.

    Raises:
        ValueError: the path is not of raw.
    """
    contract = table_of(path)
    if contract is None:
        message = f"{path} is no path of raw: raw/database/<table>/… or raw/csv/<feed>/…"
        raise ValueError(message)
    accounting = table_accounting(lake, contract, mentioning=path)
    is_in_raw = _exists(lake, path)
    absent = FileState.WAITING if is_in_raw else FileState.UNKNOWN
    return FileAudit(
        table=contract.name,
        file=path,
        is_in_raw=is_in_raw,
        state=accounting.states.get(path, absent),
        accounts=tuple(account for account in accounting.accounts if account.file == path),
    )


def find_files(lake: LakeStorage, text: str, tables: Iterable[str] = TABLES) -> list[str]:
    """Paths that an operator may mean by a path or a name, in raw or only in the audit; none if it names nothing.

    Args:
        lake: the lake.
        text: a path relative to the lake, one that leads into it, or only a file's name.
        tables: only files of these.
    """
    contracts = [TABLES[name] for name in tables]
    if direct := [path for path in files_called(text, lake.root, ()) if table_of(path) in contracts]:
        return direct
    listed = [file.path for contract in contracts for file in table_files(lake, contract)]
    if found := files_called(text, lake.root, listed):
        return found
    audited = [account.file for contract in contracts for account in read_accounts(lake, contract, mentioning=text)]
    return files_called(text, lake.root, audited)


def _exists(lake: LakeStorage, path: str) -> bool:
    file_system, root = open_file_system(lake.root)
    return file_system.get_file_info(f"{root}/{path}").is_file
