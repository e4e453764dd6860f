"""Whether each curated table holds all that its sources ever said, key by key: the weekly proof."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.conditions import left_to_a_schedule
from autocorp_assets.checks.meaning import ERROR, WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.checks.reconciliation import ComparisonConfig, compare_with_source, keys_sample
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.ports.replication import Replication
from autocorp_assets.resources.ports.source import ReadOnlySource

if TYPE_CHECKING:
    from autocorp_assets.reconciliation.findings import ExportReconciliation

FULL_RECONCILIATION = "full_reconciliation"
STATEMENT_SECONDS = 30 * 60
EXPORT_REMEDY = {
    "missing": "`autocorp replay {table} --file` with the file of the detail has it judged again",
    "extra": "keep the lake as it is; `autocorp trace {table}` with the key tells where it comes from",
    "unsettled": "restore the file in raw, or deliver it again",
}


class FullReconciliationConfig(ComparisonConfig):
    """What may be set for one run."""

    statement_seconds: float = STATEMENT_SECONDS
    """How long one query of the source may take."""


def full_reconciliation_checks(contracts: Mapping[str, TableContract]) -> list[dg.AssetChecksDefinition]:
    """One check a table."""
    return [_check(contract) for contract in contracts.values()]


def _check(contract: TableContract) -> dg.AssetChecksDefinition:
    feed = contract.csv_feed
    exports = (
        f" And every record that the delivered files of `{feed.name}` name is there, unless all its rows are in "
        "quarantine, and no other record of an export is."
        if feed
        else ""
    )
    replay = f" `autocorp replay {contract.name} --file F` has an export judged again." if feed else ""
    meaning = CheckMeaning(
        title="Nothing that was ever sent is lost",
        answers=Question.COMPLETE,
        runs=Occasion.WEEKLY,
        severity=f"{ERROR}; {WARNING} where the source could not be asked, or a file that was taken in is gone",
        means=(
            f"Each key of the source's table `{contract.name}` is in the lake with an equal checksum of its row, read "
            f"key by key, where the hourly `reconciliation` compares sums over ranges of keys.{exports}"
        ),
        what_to_do=(
            f"The sample names the keys, each with what to do. `autocorp reload {contract.name}` mends rows of the "
            f"database.{replay} `autocorp reconcile {contract.name} --full` compares again."
        ),
    )

    @dg.asset_check(
        asset=curated_key(contract.name),
        name=FULL_RECONCILIATION,
        automation_condition=left_to_a_schedule(),
        description=meaning.description,
        metadata=meaning.metadata,
    )
    def full_reconciliation(
        context: dg.AssetCheckExecutionContext,
        config: FullReconciliationConfig,
        lake: dg.ResourceParam[LakeStorage],
        source: dg.ResourceParam[ReadOnlySource],
        replication: dg.ResourceParam[Replication],
    ) -> dg.AssetCheckResult:
        from autocorp_assets.reconciliation.exports import compare_exports
        from autocorp_assets.reconciliation.keys import KeyRange

        database = compare_with_source(
            contract,
            KeyRange(),
            config,
            lake=lake,
            source=source,
            replication=replication,
            on_progress=context.log.info,
            every_key=True,
        )
        if feed is None:
            return database
        return both(database, compare_exports(lake, contract, on_progress=context.log.info))

    return full_reconciliation


def both(database: dg.AssetCheckResult, exports: "ExportReconciliation") -> dg.AssetCheckResult:
    """One result of both sources of a table; the worse one counts."""
    is_error = exports.differences or (not database.passed and database.severity is dg.AssetCheckSeverity.ERROR)
    return dg.AssetCheckResult(
        passed=bool(database.passed) and not exports.differences and not exports.unsettled,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description=f"{database.description}. {exports.describe()}",
        metadata={**database.metadata, **dict(_export_metadata(exports))},
    )


def _export_metadata(found: "ExportReconciliation") -> Iterator[tuple[str, Any]]:
    for name in ("files", "files_refused", "files_waiting", "files_gone", "rows_read", "rows_quarantined", "keys"):
        yield f"exports_{name}", getattr(found, name)
    yield "exports_rows_lake", found.lake_rows
    yield "exports_differences", found.differences
    for verdict, count in sorted(found.counts.items()):
        yield f"exports_{verdict}", count
    yield "exports_seconds", found.seconds
    if found.sample:
        yield "exports_sample", keys_sample(found.table, found.sample, EXPORT_REMEDY)
