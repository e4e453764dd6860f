"""Contract, stored table and query catalogue have the same columns; judged on a schedule.

Catalogues that kept an old schema have hidden columns from analysts without a word (hudi#6304, #11670).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.curated import unnamed_columns
from autocorp_assets.checks.meaning import ERROR, WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.snapshots import Snapshot, read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table

CATALOG = "catalog"
HUDI_PREFIX = "_hoodie_"
"""Of columns that Hudi keeps next to a table's own."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """How a table's columns differ; each is a sentence with its remedy."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def catalog_checks(
    contracts: Mapping[str, TableContract], *, condition: dg.AutomationCondition | None = None
) -> dg.AssetChecksDefinition:
    """One check of each curated table; a table that does not exist yet passes. `condition`: when it runs by itself."""

    @dg.multi_asset_check(
        name="catalog_checks",
        specs=[_spec(contract, condition) for contract in contracts.values()],
        can_subset=True,
    )
    def catalog(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeStorage]
    ) -> Iterator[dg.AssetCheckResult]:
        for contract in contracts.values():
            if dg.AssetCheckKey(curated_key(contract.name), CATALOG) in context.selected_asset_check_keys:
                yield _check(lake, contract)

    return catalog


def compare(contract: TableContract, *, stored: Mapping[str, str], catalogue: Mapping[str, str]) -> Findings:
    """Compares columns and types. Pure.

    Args:
        contract: the table.
        stored: the stored table's columns and types, by Spark SQL's names.
        catalogue: the columns and types that a query sees, with the engine's names of types.
    """
    from autocorp_assets.query.engine import duckdb_type

    run = f"run `curated/{contract.name}` with its next change"
    agreed = {column.name: column.type for column in contract.lake_columns}
    unnamed = unnamed_columns(contract, stored)
    errors = []
    for name, wanted in agreed.items():
        if name not in stored:
            errors.append(f"column {name} ({wanted}) is missing in the table: {run}, which adds it")
        elif stored[name] != wanted:
            errors.append(
                f"column {name} is {stored[name]} in the table and {wanted} in the contract: {run}, which changes it "
                "or says why it cannot"
            )
    for name, wanted in {**unnamed, **agreed}.items():
        expected = duckdb_type(wanted).lower()
        if catalogue.get(name) != expected:
            errors.append(
                f"column {name} is {catalogue.get(name, 'missing')} in the query catalogue, not {expected}: the "
                "platform derives it from contract and table, so this is a defect of autocorp_assets/query/engine.py"
            )
    own = {*agreed, *unnamed}
    invented = [name for name in catalogue if name not in own and not name.startswith(HUDI_PREFIX)]
    errors += [f"column {name} of the query catalogue is neither in table nor contract" for name in invented]
    warnings = [
        f"column {name} ({of}) is in the table and not in the contract: add it there, or drop it in the source"
        for name, of in unnamed.items()
    ]
    return Findings(errors=tuple(errors), warnings=tuple(warnings))


def catalogue_columns(lake: LakeStorage, table: str) -> dict[str, str]:
    """Columns of `autocorp_lake.<table>` as DESCRIBE tells them to an analyst."""
    from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery

    return {name: of for name, of, _ in LakeQuery(lake.root).run(f"DESCRIBE {LAKE_SCHEMA}.{table}").rows()}


def _check(lake: LakeStorage, contract: TableContract) -> dg.AssetCheckResult:
    snapshot = read_snapshot(lake.root, contract)
    if snapshot is None:
        return _result(contract, Findings(errors=(), warnings=()), None)
    catalogue = catalogue_columns(lake, contract.name)
    return _result(contract, compare(contract, stored=snapshot.columns, catalogue=catalogue), snapshot)


def _result(contract: TableContract, findings: Findings, snapshot: Snapshot | None) -> dg.AssetCheckResult:
    found = (*findings.errors, *findings.warnings)
    told = [
        *({"severity": "error", "difference": difference} for difference in findings.errors),
        *({"severity": "warning", "difference": difference} for difference in findings.warnings),
    ]
    return dg.AssetCheckResult(
        check_name=CATALOG,
        asset_key=curated_key(contract.name),
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR if findings.errors else dg.AssetCheckSeverity.WARN,
        description="; ".join(found) or ("the table does not exist yet" if snapshot is None else None),
        metadata={
            "columns": len(snapshot.columns) if snapshot else 0,
            "commit": snapshot.commit if snapshot else "",
            "differences": len(found),
            **({"sample": records_table(told, ("severity", "difference"))} if found else {}),
        },
    )


def _spec(contract: TableContract, condition: dg.AutomationCondition | None) -> dg.AssetCheckSpec:
    meaning = CheckMeaning(
        title="Analysts see the columns that were agreed",
        answers=Question.CORRECT,
        runs=Occasion.HOURLY,
        severity=f"{ERROR}; {WARNING} for a column that only the contract lacks",
        means=(
            f"Contract, stored table and query catalogue (`autocorp_lake.{contract.name}`) have the same columns, of "
            "the same types."
        ),
        what_to_do=f"Each difference names its remedy; mostly it is to run `curated/{contract.name}` once more.",
    )
    return dg.AssetCheckSpec(
        name=CATALOG,
        asset=curated_key(contract.name),
        automation_condition=condition,
        description=meaning.description,
        metadata=meaning.metadata,
    )
