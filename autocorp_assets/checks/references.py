"""The scheduled check of references over whole tables: rows without a parent, each with the parent's reason."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.meaning import WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.contracts.model import References, TableContract
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table

if TYPE_CHECKING:
    from autocorp_assets.checks.orphans import Orphans

REFERENCES = "references"
SAMPLE = 20
"""Rows without a parent that a result lists, for each reference."""


class ReferencesConfig(dg.Config):
    """How long a row must have been quiet."""

    quiet_minutes: float = 5
    """Rows that changed later are not judged: tables commit apart, so a parent may be a commit behind."""


def reference_checks(
    contracts: Mapping[str, TableContract], *, condition: dg.AutomationCondition | None = None
) -> list[dg.AssetChecksDefinition]:
    """One check for each table that refers to another; it reads whole tables, so it has a schedule of its own."""
    return [_check(contract, condition) for contract in contracts.values() if references_of(contract)]


def references_of(contract: TableContract) -> list[References]:
    """The contract's references."""
    return [rule for rule in contract.rules if isinstance(rule, References)]


def _check(contract: TableContract, condition: dg.AutomationCondition | None) -> dg.AssetChecksDefinition:
    named = ", ".join(f"{rule.column} to {rule.to_table}" for rule in references_of(contract))
    meaning = CheckMeaning(
        title="Every row's parent is there",
        answers=Question.COMPLETE,
        runs=Occasion.HOURLY,
        severity=WARNING,
        means=(
            f"Rows refer to rows that exist: {named}. A row without its parent is kept. Rows that changed within the "
            "last minutes are not judged, since tables commit apart."
        ),
        what_to_do=(
            "The sample tells what became of the parent: in quarantine, in a refused file, in a delivery that has not "
            "arrived. Mend that, and the next run brings it in; `autocorp trace` tells the parent's history."
        ),
    )

    @dg.asset_check(
        asset=curated_key(contract.name),
        automation_condition=condition,
        name=REFERENCES,
        description=meaning.description,
        metadata=meaning.metadata,
    )
    def references(config: ReferencesConfig, lake: dg.ResourceParam[LakeStorage]) -> dg.AssetCheckResult:
        return judge_references(lake, contract, now=datetime.now(UTC), quiet_minutes=config.quiet_minutes)

    return references


def judge_references(
    lake: LakeStorage, contract: TableContract, *, now: datetime, quiet_minutes: float
) -> dg.AssetCheckResult:
    """A warning if rows break a reference; they are counted, and the newest listed with the parent's reason."""
    from autocorp_assets.checks.orphans import find_orphans, reasons
    from autocorp_assets.query.engine import LakeQuery

    quiet_since = now - timedelta(minutes=quiet_minutes)
    rules = references_of(contract)
    tables = {contract.name, *(rule.to_table for rule in rules)}
    with LakeQuery(lake.root).connect(tables=tables) as connection:
        found = [find_orphans(connection, contract, rule, quiet_since=quiet_since, limit=SAMPLE) for rule in rules]
    broken = [orphans for orphans in found if orphans.rows]
    metadata: dict[str, Any] = {
        "rows_checked": {orphans.rule.column: orphans.rows_checked for orphans in found},
        "rows_without_parent": {orphans.rule.column: orphans.rows for orphans in found},
        "quiet_minutes": quiet_minutes,
    }
    for orphans in broken:
        told = reasons(lake, contract, orphans.rule, orphans.sample)
        metadata[f"without_{orphans.rule.to_table}"] = _table(contract, orphans, told)
    return dg.AssetCheckResult(
        passed=not broken,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(_describe(orphans) for orphans in broken) or None,
        metadata=metadata,
    )


def _describe(orphans: "Orphans") -> str:
    rule = orphans.rule
    return f"{orphans.rows:,} of {orphans.rows_checked:,} rows have no {rule.to_table} by their {rule.column}"


def _table(contract: TableContract, orphans: "Orphans", told: Sequence[str]) -> dg.TableMetadataValue:
    column = orphans.rule.column
    is_shown = not contract.column_by_name[column].personal
    rows = (
        {
            "record_key": orphan.record_key,
            column: orphan.value,
            "raw_file": orphan.raw_file,
            "parent": reason,
        }
        for orphan, reason in zip(orphans.sample, told, strict=True)
    )
    return records_table(rows, ("record_key", *([column] if is_shown else []), "raw_file", "parent"))
