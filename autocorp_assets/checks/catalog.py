"""Contract, stored table and query catalogue have the same columns; judged on a schedule.

Catalogues that kept an old schema have hidden columns from analysts without a word (hudi#6304, #11670).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.curated import unnamed_columns
from autocorp_assets.checks.meaning import ERROR, WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.contracts.model import LakeFormat, TableContract
from autocorp_assets.lake.snapshots import Snapshot, read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table
from autocorp_assets.resources.ports.catalog import Catalog, CatalogError, CatalogTable

CATALOG = "catalog"
SAMPLE = 20
"""Differences that a result lists; its description names the first of them."""
DESCRIBED = 5
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
        context: dg.AssetCheckExecutionContext,
        lake: dg.ResourceParam[LakeStorage],
        catalog: dg.ResourceParam[Catalog],
    ) -> Iterator[dg.AssetCheckResult]:
        selected = context.selected_asset_check_keys
        yield from _check(
            lake,
            catalog,
            [one for one in contracts.values() if dg.AssetCheckKey(curated_key(one.name), CATALOG) in selected],
        )

    return catalog


def compare(contract: TableContract, *, stored: Mapping[str, str], catalogue: CatalogTable | None) -> Findings:
    """Compares columns and types. Pure.

    Args:
        contract: the table.
        stored: the stored table's columns and types, by Spark SQL's names.
        catalogue: what SQL engines see; None for nothing.
    """
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
    errors += _catalogue_errors(contract, {**unnamed, **agreed}, catalogue)
    warnings = [
        f"column {name} ({of}) is in the table and not in the contract: add it there, or drop it in the source"
        for name, of in unnamed.items()
    ]
    return Findings(errors=tuple(errors), warnings=tuple(warnings))


def _catalogue_errors(
    contract: TableContract, expected: Mapping[str, str], catalogue: CatalogTable | None
) -> Iterator[str]:
    if catalogue is None:
        yield f"the table is not in the query catalogue: {_way_in(contract)}"
        return
    yield from catalogue.complaints
    # Glue writes names in lower case, and DuckDB takes them so.
    known = {name.lower(): of for name, of in catalogue.columns.items()}
    for name, wanted in expected.items():
        found = known.get(name.lower(), "missing")
        # A time without a zone is the same in every engine here: all of them are UTC.
        if found != wanted.removesuffix("_ntz"):
            yield f"column {name} is {found} in the query catalogue, not {wanted}: {catalogue.remedy}"
    own = {name.lower() for name in expected}
    for name in known:
        if name not in own and not name.startswith(HUDI_PREFIX):
            yield f"column {name} of the query catalogue is neither in table nor contract: {catalogue.remedy}"


def _way_in(contract: TableContract) -> str:
    if contract.format is LakeFormat.HUDI:
        # A run that finds nothing pending starts no job, and only a commit enters it.
        return "its next commit enters it; until then the job's log, and its role's permissions, say why it did not"
    return f"run `curated/{contract.name}` once more, which enters it"


def _check(lake: LakeStorage, catalog: Catalog, contracts: Sequence[TableContract]) -> Iterator[dg.AssetCheckResult]:
    snapshots = {contract.name: read_snapshot(lake.root, contract) for contract in contracts}
    existing = [name for name, snapshot in snapshots.items() if snapshot]
    try:
        known = catalog.describe(existing) if existing else {}
    except CatalogError as error:
        unknown = Findings(errors=(), warnings=(f"the query catalogue could not be compared: {error}",))
        yield from (_result(contract, unknown, snapshots[contract.name]) for contract in contracts)
        return
    for contract in contracts:
        snapshot = snapshots[contract.name]
        if snapshot is None:
            yield _result(contract, Findings(errors=(), warnings=()), None)
        else:
            found = compare(contract, stored=snapshot.columns, catalogue=known.get(contract.name))
            yield _result(contract, found, snapshot)


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
        description=_describe(found) or ("the table does not exist yet" if snapshot is None else None),
        metadata={
            "columns": len(snapshot.columns) if snapshot else 0,
            "commit": snapshot.commit if snapshot else "",
            "differences": len(found),
            **({"sample": records_table(told[:SAMPLE], ("severity", "difference"))} if found else {}),
        },
    )


def _describe(found: Sequence[str]) -> str:
    more = f"; and {len(found) - DESCRIBED} more" if len(found) > DESCRIBED else ""
    return "; ".join(found[:DESCRIBED]) + more


def _spec(contract: TableContract, condition: dg.AutomationCondition | None) -> dg.AssetCheckSpec:
    meaning = CheckMeaning(
        title="Analysts see the columns that were agreed",
        answers=Question.CORRECT,
        runs=Occasion.HOURLY,
        severity=f"{ERROR}; {WARNING} for a column that only the contract lacks",
        means=(
            f"Contract, stored table and query catalogue (`autocorp_lake.{contract.name}`; on AWS that is Glue's) have "
            "the same columns, of the same types."
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
