"""A table of the source against the lake while both go on: exact, without a tolerance, at bounded cost.

First sums of row checksums over ranges of keys are compared: one scan in the source, one in the lake. Only
where they differ are keys and checksums read, range by range, and only keys that differ then are settled.

Settling needs no pause of the source. In this order: the lake's version is fixed; the source tells the keys'
checksums; raw catches up with the source; what is pending of raw for that version is listed. A key that no
pending file changes has in the lake its last change before the source was asked, and can have no later
one, since the lake was read first. So it is equal, or its last change is in quarantine, or it is a difference.

A difference is believed when it is found twice: a transaction may be in the log, and so in the lake, a moment
before it can be seen by others (PostgreSQL, while it waits for a synchronous standby).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.reconciliation.explanations import RawFileNotReadable, quarantined_keys, waiting_keys
from autocorp_assets.reconciliation.findings import SAMPLE_OF_A_VERDICT, Finding, TableReconciliation, Verdict
from autocorp_assets.reconciliation.keys import Key, KeyRange, Rows, differing_keys, differing_ranges
from autocorp_assets.reconciliation.lake_table import LakeTable, open_lake_table
from autocorp_assets.reconciliation.source_table import SourceTable, changed_columns
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.replication import Replication, ReplicationError

ROWS_OF_A_BUCKET = 1_000
PAGE_ROWS = 10_000
PAGE_ROWS_OF_ALL = 100_000
"""Where every key is read: the lake has no index, and scans the table for each page."""
KEYS_AT_ONCE = 20_000
"""Differing keys that are settled together, each time after raw has caught up once."""
LOOKS = 2
"""How often a difference must be found."""


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """Compares tables of one source with one lake."""

    lake: LakeStorage
    replication: Replication
    deadline_seconds: float
    """How long one table may wait for raw to catch up with the source."""
    on_progress: Progress

    def compare(self, source: SourceTable, keys: KeyRange, *, every_key: bool = False) -> TableReconciliation:
        """The table, or a range of its keys.

        Args:
            source: the table.
            keys: the range.
            every_key: do not stop at sums that are equal, but read each key and the checksum of its row on both sides.

        Raises:
            psycopg.Error: the source cannot be read.
            TableNotReadable: the lake's table cannot be read.
        """
        started = time.monotonic()
        deadline = started + self.deadline_seconds
        contract = source.contract
        result = TableReconciliation(
            table=contract.name,
            columns_left_out=tuple(column.name for column in contract.columns if column not in source.columns),
        )
        with open_lake_table(self.lake.root, contract, source.columns) as stored:
            ranges = self._compare_buckets(source, stored, keys, result)
            if every_key:
                ranges = [keys]
            page = PAGE_ROWS_OF_ALL if every_key else PAGE_ROWS
            suspects = (key for part in ranges for key in differing_keys(source, stored, part, page_rows=page))
            for some in _batches(suspects, KEYS_AT_ONCE):
                result.keys_read_again += len(some)
                self.on_progress(f"{contract.name}: settling {len(some):,} keys that differed")
                for finding in self._settle(source, some, deadline):
                    result.add(finding)
        result.seconds = round(time.monotonic() - started, 3)
        return result

    def _compare_buckets(
        self, source: SourceTable, stored: LakeTable, keys: KeyRange, result: TableReconciliation
    ) -> list[KeyRange]:
        in_lake = stored.buckets(keys, ROWS_OF_A_BUCKET)
        in_source = source.buckets(in_lake.starts, keys)
        result.commit = stored.snapshot.commit if stored.snapshot else None
        result.source_rows = sum(rows.count for rows in in_source.values())
        result.lake_rows = in_lake.total
        result.buckets = in_lake.count
        result.buckets_differing = sum(
            in_lake.rows.get(bucket) != in_source.get(bucket) for bucket in in_lake.rows.keys() | in_source.keys()
        )
        if not keys.bounds and (rows := stored.rows_without_key()):
            detail = f"{rows:,} rows without {source.contract.primary_key}"
            result.add(Finding(key=None, verdict=Verdict.EXTRA, detail=detail))
        self.on_progress(
            f"{source.contract.name}: {result.source_rows:,} rows in {result.buckets:,} buckets, "
            f"{result.buckets_differing:,} of them differ"
        )
        return differing_ranges(in_lake, in_source, keys)

    def _settle(self, source: SourceTable, keys: Sequence[Key], deadline: float) -> list[Finding]:
        settled: list[Finding] = []
        found: list[Finding] = []
        for _ in range(LOOKS):
            found = self._look(source, keys, deadline)
            settled += [finding for finding in found if finding.verdict in _NOT_LOOKED_AT_AGAIN]
            keys = [
                finding.key
                for finding in found
                if finding.verdict not in _NOT_LOOKED_AT_AGAIN and finding.key is not None
            ]
            if not keys:
                return settled
        return [*settled, *(finding for finding in found if finding.verdict not in _NOT_LOOKED_AT_AGAIN)]

    def _look(self, source: SourceTable, keys: Collection[Key], deadline: float) -> list[Finding]:
        """How each key stands that is not equal. The order of the steps is what makes it exact: see the module."""
        contract = source.contract
        with open_lake_table(self.lake.root, contract, source.columns) as stored:
            in_lake = stored.checksums(keys)
            in_source = source.checksums(keys)
            differing = [key for key in keys if in_lake.get(key) != in_source.get(key)]
            if not differing:
                return []
            try:
                self.replication.catch_up(
                    deadline_seconds=max(1.0, deadline - time.monotonic()),
                    on_progress=self.on_progress,
                    may_start=False,
                )
                plan = self.lake.pending_after(contract.name, stored.snapshot)
                waiting = waiting_keys(self.lake, contract, plan, differing)
                differing = [key for key in differing if key not in waiting]
                pending = {file.path for file in plan.database_files if not file.replay}
                kept = quarantined_keys(self.lake, contract, differing, pending)
            except (ReplicationError, RawFileNotReadable) as error:
                return [Finding(key=key, verdict=Verdict.UNSETTLED, detail=str(error)) for key in differing]
            differing = [key for key in differing if key not in kept]
            columns = _columns(source, stored, differing[:SAMPLE_OF_A_VERDICT])
        return [
            *(Finding(key=key, verdict=Verdict.WAITING, detail=file) for key, file in waiting.items()),
            *(
                Finding(
                    key=key,
                    verdict=Verdict.QUARANTINED,
                    detail=f"{row.file}, row {row.position}: {', '.join(row.reasons)}",
                )
                for key, row in kept.items()
            ),
            *(
                Finding(
                    key=key,
                    verdict=verdict_of(in_source.get(key), in_lake.get(key)),
                    detail=", ".join(columns.get(key, ())),
                )
                for key in differing
            ),
        ]


_NOT_LOOKED_AT_AGAIN = frozenset({Verdict.WAITING, Verdict.QUARANTINED, Verdict.UNSETTLED})


def verdict_of(in_source: Rows | None, in_lake: Rows | None) -> Verdict:
    """What a difference is called."""
    if in_lake is None:
        return Verdict.MISSING
    if in_source is None:
        return Verdict.EXTRA
    return Verdict.DOUBLED if in_lake.count > in_source.count else Verdict.CHANGED


def _columns(source: SourceTable, stored: LakeTable, keys: Collection[Key]) -> dict[Key, tuple[str, ...]]:
    return changed_columns(source.columns, source.digests(keys), stored.digests(keys)) if keys else {}


def _batches(keys: Iterable[Key], size: int) -> Iterator[list[Key]]:
    iterator = iter(keys)
    while batch := list(islice(iterator, size)):
        yield batch
