"""Tables made from all that raw has: the plan, and whether raw still has all that the table was made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import CHANGE_FILE, LOAD_MANIFESTS, RAW_CSV, table_prefix
from autocorp_assets.lake.audit import Account, read_accounts
from autocorp_assets.lake.snapshots import Head, read_head
from autocorp_assets.lake.storage import LakeStorage
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.from_nothing import KeptAside, plan_from_nothing
from spark_jobs.plan import ChangeFile, Delivery, LoadManifest, TablePlan

LISTED = 10
"""Files that an error names."""


class RebuildError(RuntimeError):
    """A table cannot be made from raw as it was; the message names the files that are gone, and what to do."""


@dataclass(frozen=True, kw_only=True)
class RawOfTable:
    """All that raw has of one table."""

    contract: TableContract
    manifests: tuple[LoadManifest, ...]
    files: tuple[str, ...]
    """Names of LOAD files, and of what else lies in the table's folder but is no change file."""
    changes: tuple[ChangeFile, ...]
    deliveries: tuple[Delivery, ...]
    kept_aside: tuple[KeptAside, ...]
    listed_at: datetime

    @classmethod
    def listed(cls, lake: LakeStorage, contract: TableContract) -> RawOfTable:
        """Lists all of the table's raw."""
        listed_at = datetime.now(UTC)
        manifests = lake.loads(contract.name)
        found = lake.raw_files(table_prefix(contract.name))
        feed = contract.csv_feed
        changes = (
            ChangeFile(path=file.path.removeprefix(f"{table_prefix(contract.name)}/"), modified=file.modified)
            for file in found
            if CHANGE_FILE.fullmatch(file.name)
        )
        return cls(
            contract=contract,
            manifests=tuple(manifests),
            files=tuple(file.name for file in found if not CHANGE_FILE.fullmatch(file.name)),
            # Until a load is complete nobody knows what changes are made to.
            changes=tuple(changes) if manifests else (),
            deliveries=tuple(lake.deliveries(feed.name)) if feed else (),
            kept_aside=tuple(lake.kept_aside(feed)) if feed else (),
            listed_at=listed_at,
        )

    def plan(self, head: Head | None, accounts: Iterable[Account]) -> TablePlan:
        """The plan that makes the table from it.

        Args:
            head: of the table as it is; None where there is none.
            accounts: that runs have written of its files, oldest first.
        """
        applied = head.checkpoint.deliveries if head and head.checkpoint else {}
        return plan_from_nothing(
            self.contract,
            commit=head.commit if head else None,
            revision=head.revision if head else 0,
            manifests=self.manifests,
            changes=self.changes,
            deliveries=self.deliveries,
            kept_aside=self.kept_aside,
            arrivals=arrivals(accounts, {(name, one.etag): one.ordinal for name, one in applied.items()}),
            listed_at=self.listed_at,
        )

    def without_absent_loads(self) -> RawOfTable:
        """The same with no LOAD file that a manifest names and nobody finds."""
        present = (replace(one, files=tuple(n for n in one.files if n in self.files)) for one in self.manifests)
        return replace(self, manifests=tuple(present))

    def gone(self, head: Head | None, accounts: Iterable[Account]) -> list[str]:
        """What the table was made from and raw has no longer: paths, by what runs and the table itself remember."""
        prefix = table_prefix(self.contract.name)
        checkpoint = head.checkpoint if head and head.checkpoint else Checkpoint()
        found = [f"{prefix}/{name}" for load in self.manifests for name in load.files if name not in self.files]
        if checkpoint.generation and checkpoint.generation not in {load.generation for load in self.manifests}:
            found.append(f"{LOAD_MANIFESTS}/{checkpoint.generation:06d}.json")
        found += _absent(accounts, self._paths(), self._contents())
        names = {change.name for change in self.changes}.union(path.rsplit("/", 1)[-1] for path in found)
        return list(dict.fromkeys((*found, *(f"{prefix}/…/{name}" for name in checkpoint.recent if name not in names))))

    def _paths(self) -> set[str]:
        prefix = table_prefix(self.contract.name)
        names = (*self.files, *(change.path for change in self.changes))
        return {*(f"{prefix}/{name}" for name in names), *(delivery.path for delivery in self.deliveries)}

    def _contents(self) -> set[tuple[str, str]]:
        return {
            *((delivery.path, delivery.etag) for delivery in self.deliveries),
            *((content.delivered_as, content.etag) for content in self.kept_aside),
        }


def plan_rebuild(lake: LakeStorage, table: str, *, without_missing: bool = False) -> TablePlan:
    """The plan that makes a table anew from raw, in the place of the one that there is.

    Args:
        lake: the lake.
        table: its name.
        without_missing: also where raw has lost files from which the table was made: their rows are lost then.

    Raises:
        RebuildError: such files are gone, or raw has nothing of the table.
    """
    contract = TABLES[table]
    head = read_head(lake.root, contract)
    raw = RawOfTable.listed(lake, contract)
    accounts = [account for account in read_accounts(lake, contract) if account.is_committed or head is None]
    if without_missing:
        raw = raw.without_absent_loads()
    elif gone := raw.gone(head, accounts):
        raise RebuildError(_refusal(table, gone))
    plan = raw.plan(head, accounts)
    if plan.is_empty:
        raise RebuildError(f"raw has nothing of {table} that is complete: there is nothing to rebuild it from")
    return plan


def plan_of_lost_table(lake: LakeStorage, table: str) -> TablePlan | None:
    """The plan that makes a table again whose folder is gone; None if it was never there."""
    contract = TABLES[table]
    accounts = read_accounts(lake, contract)
    return RawOfTable.listed(lake, contract).plan(None, accounts) if accounts else None


def arrivals(
    accounts: Iterable[Account], applied: Mapping[tuple[str, str], int]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """In which order contents of deliveries have come, see `spark_jobs.from_nothing.Arrivals`. Pure.

    Args:
        accounts: oldest first, as they were written.
        applied: what the table itself remembers, which counts more.
    """
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    current: dict[str, str] = {}
    for account in accounts:
        name = account.file.rsplit("/", 1)[-1]
        if account.file.startswith(f"{RAW_CSV}/") and account.etag and current.get(name) != account.etag:
            current[name] = account.etag
            content = name, account.etag
            found[content] = (*found.get(content, ()), 1 + sum(map(len, found.values())))
    for content, ordinal in applied.items():
        found[content] = (*found.get(content, ())[:-1], ordinal)
    return found


def _absent(
    accounts: Iterable[Account], paths: Collection[str], contents: Collection[tuple[str, str]]
) -> Iterable[str]:
    """Files with rows that are not there, or not with the content that was read."""
    for account in accounts:
        if account.read == 0:
            continue
        if account.file not in paths:
            yield account.file
        elif account.etag and (account.file, account.etag) not in contents:
            yield f"{account.file} (the content {account.etag:.12} that it had before)"


def _refusal(table: str, gone: list[str]) -> str:
    more = f" and {len(gone) - LISTED:,} more" if len(gone) > LISTED else ""
    return (
        f"{table} was made from {len(gone):,} raw file(s) that are gone: {', '.join(gone[:LISTED])}{more}. Nothing was "
        "changed. Put them back, from a backup or the bucket's former versions; or rebuild the table without their "
        f"rows: autocorp rebuild {table} --without-missing, and then autocorp reload {table} for those of the database"
    )
