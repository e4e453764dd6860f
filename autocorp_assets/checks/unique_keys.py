"""The scheduled check that each record is stored once, over the whole table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.meaning import ERROR, WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.checks.results import judged_once
from autocorp_assets.contracts.model import SOURCE_SYSTEM, TableContract, Unique
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table

if TYPE_CHECKING:
    import duckdb

UNIQUE_KEYS = "unique_keys"
SAMPLE = 20
"""Records that a result lists."""


def unique_key_checks(
    contracts: Mapping[str, TableContract], *, condition: dg.AutomationCondition | None = None
) -> list[dg.AssetChecksDefinition]:
    """One check a table; each reads the key columns of all of it, so it has a schedule of its own."""
    return [_check(contract, condition) for contract in contracts.values()]


def _check(contract: TableContract, condition: dg.AutomationCondition | None) -> dg.AssetChecksDefinition:
    values = "".join(f" No two rows of one source share {' and '.join(columns)}." for columns in _unique(contract))
    meaning = CheckMeaning(
        title="Every record is stored once",
        answers=Question.CORRECT,
        runs=Occasion.HOURLY,
        severity=f"{ERROR}; {WARNING} where only other values repeat" if values else ERROR,
        means=f"No two rows have the same {contract.record_key}; if two do, a merge doubled rows.{values}",
        what_to_do=(
            "Doubled records: keep the lake as it is, and compare it with its source by `autocorp reconcile "
            f"{contract.name}`.{' Values that repeat mirror the source: correct them there.' if values else ''}"
        ),
    )

    @dg.asset_check(
        asset=curated_key(contract.name),
        automation_condition=condition,
        name=UNIQUE_KEYS,
        description=meaning.description,
        metadata=meaning.metadata,
    )
    def unique_keys(context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeStorage]) -> dg.AssetCheckResult:
        from autocorp_assets.lake.snapshots import read_snapshot

        snapshot = read_snapshot(lake.root, contract)
        key = dg.AssetCheckKey(curated_key(contract.name), UNIQUE_KEYS)
        return judged_once(context.instance, key, contract, snapshot, lambda: judge_unique_keys(lake, contract))

    return unique_keys


def judge_unique_keys(lake: LakeStorage, contract: TableContract) -> dg.AssetCheckResult:
    """An error for a record stored twice; a warning for other values that the contract calls unique."""
    from autocorp_assets.query.engine import LakeQuery

    with LakeQuery(lake.root).connect(tables=[contract.name]) as connection:
        doubled = _repeated(connection, contract, [contract.record_key])
        shared = {
            columns: found
            for columns in _unique(contract)
            if (found := _repeated(connection, contract, [*_system(contract), *columns]))
        }
    findings = [f"{len(doubled):,} records are stored more than once"] if doubled else []
    findings += [f"{len(found):,} values of {', '.join(columns)} repeat" for columns, found in shared.items()]
    metadata: dict[str, Any] = {
        "records_doubled": len(doubled),
        "values_repeated": sum(map(len, shared.values())),
        **({"sample": _sample(contract, doubled, shared)} if findings else {}),
    }
    return dg.AssetCheckResult(
        passed=not findings,
        severity=dg.AssetCheckSeverity.ERROR if doubled else dg.AssetCheckSeverity.WARN,
        description="; ".join(findings) or None,
        metadata=metadata,
    )


def _sample(
    contract: TableContract, doubled: Sequence[str], shared: Mapping[tuple[str, ...], Sequence[str]]
) -> dg.TableMetadataValue:
    """Repeated values are named by a record that has them: they may be personal themselves."""
    rows = [{"repeats": contract.record_key, "record": record} for record in doubled[:SAMPLE]]
    for columns, found in shared.items():
        rows += [{"repeats": ", ".join(columns), "record": record} for record in found[:SAMPLE]]
    return records_table(rows, ("repeats", "record"))


def _repeated(connection: "duckdb.DuckDBPyConnection", contract: TableContract, columns: Sequence[str]) -> list[str]:
    """For each value that several rows have, one of their records. A value with a NULL in it repeats none."""
    from autocorp_assets.query.engine import LAKE_SCHEMA

    names = ", ".join(f'"{name}"' for name in columns)
    known = " AND ".join(f'"{name}" IS NOT NULL' for name in columns)
    found = connection.execute(
        f"""
        SELECT min("{contract.record_key}")::VARCHAR AS record FROM {LAKE_SCHEMA}.{contract.name}
        WHERE {known} GROUP BY {names} HAVING count(*) > 1 ORDER BY record
        """  # noqa: S608 names are the contracts'
    )
    return [record for (record,) in found.fetchall()]


def _unique(contract: TableContract) -> list[tuple[str, ...]]:
    return [rule.columns for rule in contract.rules if isinstance(rule, Unique)]


def _system(contract: TableContract) -> list[str]:
    return [SOURCE_SYSTEM] if contract.has_two_systems else []
