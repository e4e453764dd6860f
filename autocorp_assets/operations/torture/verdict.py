"""Whether the lake is equal to its sources after all of it: every row, every delivery, every account."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.contracts import TABLES
from autocorp_assets.operations.torture.exports import LAST_DAY, Exports

if TYPE_CHECKING:
    from autocorp_assets.contracts.model import TableContract
    from autocorp_assets.local.generator.landing import FileManifest
    from autocorp_assets.settings import Settings

CUSTOMERS_FEED = "customers"
MOST_COMMITS = 10_000


@dataclass(frozen=True, kw_only=True)
class TableVerdict:
    """One table of source against lake, and against itself."""

    table: str
    source_rows: int
    lake_rows: int
    """The lake's rows of the database."""
    csv_rows: int
    commits: int
    differences: int
    """Keys missing, extra or with another value, and records that are stored twice."""
    sample: tuple[str, ...] = ()
    """`key: what differs`."""


def judge_tables(dsn: str, lake: Path) -> list[TableVerdict]:
    """All tables, every value of every row; the source must be at rest."""
    return [_judge(dsn, lake, contract) for contract in TABLES.values()]


def _judge(dsn: str, lake: Path, contract: TableContract) -> TableVerdict:
    from autocorp_assets.lake.snapshots import commits
    from autocorp_assets.reconciliation.database import compare_table

    found = compare_table(dsn, lake, contract)
    rows, keys = _stored(lake, contract)
    twice = rows - keys
    return TableVerdict(
        table=contract.name,
        source_rows=found.source_rows,
        lake_rows=found.lake_rows,
        csv_rows=rows - found.lake_rows,
        commits=len(commits(lake, contract, MOST_COMMITS)),
        differences=found.count + twice,
        sample=(*found.sample, *([f"{twice} record(s) stored twice"] if twice else [])),
    )


def _stored(lake: Path, contract: TableContract) -> tuple[int, int]:
    """Rows of the whole table, whatever they come from, and distinct record keys."""
    from sqlglot import exp

    from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery

    key = exp.column(contract.record_key, quoted=True)
    query = exp.select(exp.Count(this=exp.Star()), exp.Count(this=exp.Distinct(expressions=[key]))).from_(
        exp.table_(contract.name, db=LAKE_SCHEMA, quoted=True)
    )
    rows, keys = next(iter(LakeQuery(lake).run(query.sql(dialect="athena")).rows()))
    return int(rows), int(keys)


def judge_deliveries(settings: Settings, exports: Exports) -> list[str]:
    """Where the lake holds something else of the CSV exports than they say; empty when all agree."""
    from autocorp_assets.reconciliation.deliveries import value_differences

    lake, whole = settings.lake_folder, f"{CUSTOMERS_FEED}-{LAST_DAY:%Y%m%d}.csv"
    found = _accounts(exports.orders, lake)
    if differing := value_differences(CUSTOMERS_FEED, settings.landing_folder / whole, lake):
        found.append(f"{whole}: {differing:,} rows of the lake differ from the file")
    return found


def _accounts(manifests: Sequence[FileManifest], lake: Path) -> list[str]:
    from autocorp_assets.reconciliation.deliveries import Expected, account_differences, stored_rows

    problems: list[str] = []
    for feed in sorted({manifest.feed for manifest in manifests}):
        ours = [manifest for manifest in manifests if manifest.feed == feed]
        expected = [
            Expected(
                file=manifest.file,
                rows=manifest.rows,
                applied=manifest.applied,
                superseded=manifest.superseded,
                duplicate=manifest.duplicates,
                quarantined=sum(manifest.quarantined.values()),
            )
            for manifest in ours
        ]
        problems += account_differences(feed, expected, lake)
        stored, wanted = stored_rows(feed, lake), sum(manifest.applied for manifest in ours)
        if stored != wanted:
            problems.append(f"{feed}: {stored:,} rows in the lake, the files hold {wanted:,}")
    return problems


def judge_accounts(lake: Path) -> list[str]:
    """Accounts of raw files whose outcomes do not add up to the rows that were read."""
    from autocorp_assets.reconciliation.deliveries import OUTCOMES

    return [
        f"{line['file']}: {line['read']:,} rows read are not the sum of their outcomes"
        for line in _audit_lines(lake)
        if line["read"] != sum(line[outcome] for outcome in OUTCOMES)
    ]


def _audit_lines(lake: Path) -> Iterator[dict]:
    from autocorp_assets.contracts.raw_format import AUDIT

    for path in (lake / AUDIT).glob("*/*.jsonl"):
        yield from (json.loads(line) for line in path.read_text().splitlines())
