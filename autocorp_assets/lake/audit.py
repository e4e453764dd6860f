"""What runs have written about the raw files that they read: `processed/audit/<table>/<batch>.jsonl`.

A batch is named by the revision that it commits as, and writes its lines before. Lines of a revision that the
table has not reached belong to a batch that died in between: the one that gets there replaces them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import AUDIT
from autocorp_assets.lake.file_system import open_file_system
from autocorp_assets.lake.snapshots import read_head
from autocorp_assets.lake.storage import LakeStorage

OUTCOMES = ("applied", "unchanged", "superseded", "duplicate", "quarantined")
"""What becomes of a row that was read, exactly one of them."""
READERS = 16
"""Files read at once: in S3 each costs a round trip."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What one run says of one raw file."""

    table: str
    file: str
    """Relative to the lake's root."""
    run_id: str
    batch: str
    revision: int
    """The commit of the table, counted from 1, with which the batch became true; 0 before that was noted."""
    written_at: datetime
    read: int
    applied: int
    unchanged: int
    superseded: int
    duplicate: int
    quarantined: int
    repairs: Mapping[str, int] = field(default_factory=dict)
    refused: str | None = None
    """Why the file as a whole was not read."""
    etag: str | None = None
    """Of a CSV delivery: the content that was read."""
    is_committed: bool = True

    @property
    def adds_up(self) -> bool:
        return self.read == sum(getattr(self, outcome) for outcome in OUTCOMES)

    @classmethod
    def from_line(cls, line: str, batch: str) -> Self:
        """Reads a line; what lines had not always is filled in.

        Raises:
            ValueError, KeyError: it is no such line.
        """
        value: dict[str, Any] = {"batch": batch, "revision": 0, **json.loads(line)}
        names = cls.__dataclass_fields__.keys() - {"is_committed", "written_at"}
        return cls(
            written_at=datetime.fromisoformat(value["written_at"]),
            **{name: item for name, item in value.items() if name in names},
        )


def read_accounts(lake: LakeStorage, contract: TableContract, *, mentioning: str = "") -> list[Account]:
    """All accounts of a table's raw files, oldest first, each with whether its batch was committed.

    Args:
        lake: the lake.
        contract: the table.
        mentioning: only lines that hold this text, such as a file's name; the others are not parsed.

    Raises:
        ValueError: an audit file cannot be read.
    """
    # The head first: of a commit that is made meanwhile the lines may be missing, never the other way round.
    head = read_head(lake.root, contract)
    return as_committed(_parsed(lake, contract, mentioning), head.revision if head else -1)


def as_committed(accounts: Iterable[Account], revision: int) -> list[Account]:
    """Marks what was never committed, oldest revision first. Pure.

    Args:
        accounts: of one table.
        revision: of the table's newest commit, -1 without one.
    """
    in_order = sorted(accounts, key=lambda account: (account.revision, account.written_at))
    return [replace(account, is_committed=account.revision <= revision) for account in in_order]


def standing_accounts(accounts: Iterable[Account]) -> dict[str, Account]:
    """How each file stands now, by path: its newest committed account.

    Args:
        accounts: oldest first.
    """
    return {account.file: account for account in accounts if account.is_committed}


def _parsed(lake: LakeStorage, contract: TableContract, mentioning: str) -> Iterator[Account]:
    file_system, root = open_file_system(lake.root)

    def lines(path: str) -> list[Account]:
        with file_system.open_input_stream(f"{root}/{path}") as stream:
            text = stream.read().decode()
        batch = path.rsplit("/", 1)[-1].removesuffix(".jsonl")
        try:
            return [Account.from_line(line, batch) for line in text.splitlines() if mentioning in line]
        except (ValueError, KeyError, TypeError) as error:
            message = (
                f"{path} is not whole lines of an audit ({error!r}): restore it, or remove it and replay its files"
            )
            raise ValueError(message) from error

    paths = [f.path for f in lake.raw_files(f"{AUDIT}/{contract.name}") if f.name.endswith(".jsonl")]
    with ThreadPoolExecutor(READERS) as pool:
        for found in pool.map(lines, paths):
            yield from found
