"""Whether each curated table holds what the source says: exact, while both go on, on a schedule of its own."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.conditions import scheduled_check
from autocorp_assets.checks.meaning import ERROR, WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.replication import Replication
from autocorp_assets.resources.ports.source import ReadOnlySource, SourceUnavailable

if TYPE_CHECKING:
    from autocorp_assets.reconciliation.findings import Finding, TableReconciliation
    from autocorp_assets.reconciliation.keys import KeyRange

RECONCILIATION = "reconciliation"
CRON = "17 * * * *"
"""Once an hour; a scan of the table in the source is what it costs."""
DEADLINE_SECONDS = 5 * 60
STATEMENT_SECONDS = 5 * 60
REMEDY = {
    "missing": "`autocorp reload {table}` brings it back from the source",
    "extra": "`autocorp reload {table}` takes it out",
    "changed": "`autocorp reload {table}` mends it from the source",
    "doubled": "keep the lake as it is and look at the job's log: a record is stored more than once",
    "waiting": "nothing: the next run of curation applies the file",
    "quarantined": "correct the value in the source, or see `autocorp quarantine`",
    "replaced": "nothing: the corrected file does not name the record, which says nothing of it",
    "unsettled": "run the check again once the cause is gone",
}


class ComparisonConfig(dg.Config):
    """What may be set for one comparison with the source."""

    deadline_seconds: float = DEADLINE_SECONDS
    """How long the check may wait for raw to catch up with the source."""
    statement_seconds: float = STATEMENT_SECONDS
    """How long one query of the source may take."""


class ReconciliationConfig(ComparisonConfig):
    """What may be set for one run."""

    key_from: str | None = None
    """Compare only keys from this one on."""
    key_to: str | None = None
    """Compare only keys up to this one."""


def reconciliation_checks(contracts: Mapping[str, TableContract]) -> list[dg.AssetChecksDefinition]:
    """One check a table."""
    return [_check(contract) for contract in contracts.values()]


def _check(contract: TableContract) -> dg.AssetChecksDefinition:
    meaning = CheckMeaning(
        title="The lake holds what the source says",
        answers=Question.COMPLETE,
        runs=Occasion.HOURLY,
        severity=f"{ERROR}; {WARNING} where the source could not be asked or replication did not get on",
        means=(
            f"Every row of the source's table `{contract.name}` is in the lake with the same values, and no other row "
            "of the database is. Sums over ranges of keys are compared first, and where they differ every key; a key "
            "that a raw file not yet applied changes, or whose last change is in quarantine, is no difference. There "
            "is no tolerance. Set key_from and key_to to compare a range of keys only."
        ),
        what_to_do=(
            f"`autocorp reload {contract.name}` loads the table anew from the database and mends every difference. "
            "Where nothing was compared, see that source and replication run (`autocorp status`)."
        ),
    )

    @dg.asset_check(
        asset=curated_key(contract.name),
        name=RECONCILIATION,
        automation_condition=scheduled_check(CRON),
        description=meaning.description,
        metadata=meaning.metadata,
    )
    def reconciliation(
        context: dg.AssetCheckExecutionContext,
        config: ReconciliationConfig,
        lake: dg.ResourceParam[LakeStorage],
        source: dg.ResourceParam[ReadOnlySource],
        replication: dg.ResourceParam[Replication],
    ) -> dg.AssetCheckResult:
        from autocorp_assets.reconciliation.keys import KeyRange

        keys = KeyRange.parse(contract, config.key_from, config.key_to)
        return compare_with_source(
            contract, keys, config, lake=lake, source=source, replication=replication, on_progress=context.log.info
        )

    return reconciliation


def compare_with_source(
    contract: TableContract,
    keys: "KeyRange",
    config: ComparisonConfig,
    *,
    lake: LakeStorage,
    source: ReadOnlySource,
    replication: Replication,
    on_progress: Progress,
    every_key: bool = False,
) -> dg.AssetCheckResult:
    """The table against its source; a warning where the source cannot be asked.

    Args:
        contract: the table.
        keys: that are compared.
        config: how long it may take.
        lake: holds the table.
        source: the database.
        replication: has to catch up where keys differ.
        on_progress: takes one line for the operator.
        every_key: reads every key, and not sums over ranges of them first.
    """
    from autocorp_assets.reconciliation.reconcile import Reconciler
    from autocorp_assets.reconciliation.source_table import NoSuchTable, SourceTable

    reconciler = Reconciler(
        lake=lake, replication=replication, deadline_seconds=config.deadline_seconds, on_progress=on_progress
    )
    try:
        with source.connect(statement_seconds=config.statement_seconds) as connection:
            table = SourceTable.of(connection, contract)
            return check_result(reconciler.compare(table, keys, every_key=every_key))
    except (SourceUnavailable, NoSuchTable) as error:
        nothing = "The source was not compared" if every_key else "Nothing was compared"
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, description=f"{nothing}. {error}")


def check_result(found: "TableReconciliation") -> dg.AssetCheckResult:
    """A difference is an error, what could not be told a warning, and what is explained no failure."""
    return dg.AssetCheckResult(
        passed=not found.differences and not found.unsettled,
        severity=dg.AssetCheckSeverity.ERROR if found.differences else dg.AssetCheckSeverity.WARN,
        description=found.describe(),
        metadata={
            "rows_source": found.source_rows,
            "rows_lake": found.lake_rows,
            "differences": found.differences,
            "buckets": found.buckets,
            "buckets_differing": found.buckets_differing,
            "keys_read_again": found.keys_read_again,
            **{str(verdict): count for verdict, count in sorted(found.counts.items())},
            "seconds": found.seconds,
            **({"commit": found.commit} if found.commit else {}),
            **({"columns_left_out": list(found.columns_left_out)} if found.columns_left_out else {}),
            **({"sample": keys_sample(found.table, found.sample)} if found.sample else {}),
        },
    )


def keys_sample(
    table: str, findings: "Sequence[Finding]", remedies: Mapping[str, str] = MappingProxyType({})
) -> dg.TableMetadataValue:
    """Keys with what is the matter with each; `remedies` take the place of those for rows of the database."""
    rows = (
        {
            "key": finding.key,
            "what": finding.verdict,
            "detail": finding.detail,
            "what to do": {**REMEDY, **remedies}[finding.verdict].format(table=table),
        }
        for finding in findings
    )
    return records_table(rows, ("key", "what", "detail", "what to do"))
