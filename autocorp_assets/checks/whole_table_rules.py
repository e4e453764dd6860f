"""The scheduled check of a table's row rules over all of its rows, whichever run brought them.

A run judges the rows that it has changed, up to a limit, and the next run's result takes the place of that one. What
stays broken would be out of sight by then; here it stays in sight until it is corrected.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.meaning import WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.checks.results import judged_once, rules_result
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.storage import LakeStorage

if TYPE_CHECKING:
    import polars as pl

    from autocorp_assets.checks.schemas import Outcome
    from autocorp_assets.lake.snapshots import Snapshot

WHOLE_TABLE_RULES = "whole_table_rules"
BATCH_ROWS = 200_000
"""Rows judged at once: some hundred MB of the widest table."""


def whole_table_rule_checks(
    contracts: Mapping[str, TableContract], *, condition: dg.AutomationCondition | None = None
) -> list[dg.AssetChecksDefinition]:
    """One check a table; each reads all of it that has changed since it last did."""
    return [_check(contract, condition) for contract in contracts.values()]


def _check(contract: TableContract, condition: dg.AutomationCondition | None) -> dg.AssetChecksDefinition:
    table = contract.name
    meaning = CheckMeaning(
        title="No row of the table breaks a rule",
        answers=Question.CORRECT,
        runs=Occasion.HOURLY,
        severity=WARNING,
        means=(
            "All rows, whichever run brought them: `rules` judges the rows of the newest run only. A row of the "
            "database mirrors the source, and is shown here until it is corrected there. A version of the table that "
            "was judged before is not read again."
        ),
        what_to_do=(
            "Correct the rows in the source: the result's sample names them, and "
            f"`autocorp trace {table} KEY` tells where one comes from."
        ),
    )

    @dg.asset_check(
        asset=curated_key(table),
        automation_condition=condition,
        name=WHOLE_TABLE_RULES,
        description=meaning.description,
        metadata=meaning.metadata,
    )
    def whole_table_rules(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeStorage]
    ) -> dg.AssetCheckResult:
        from autocorp_assets.lake.snapshots import read_snapshot

        snapshot = read_snapshot(lake.root, contract)
        key = dg.AssetCheckKey(curated_key(table), WHOLE_TABLE_RULES)
        return judged_once(
            context.instance,
            key,
            contract,
            snapshot,
            lambda: judge_all_rows(contract, snapshot, on_progress=context.log.info),
        )

    return whole_table_rules


def judge_all_rows(
    contract: TableContract, snapshot: "Snapshot | None", *, on_progress: Callable[[str], None] = lambda _: None
) -> dg.AssetCheckResult:
    """Judges every row of a version of the table; a table that does not exist has none.

    Args:
        contract: the table.
        snapshot: the version.
        on_progress: takes one line for the operator.
    """
    outcome = merged(_outcomes(contract, snapshot, on_progress))
    return rules_result(WHOLE_TABLE_RULES, curated_key(contract.name), outcome, severity=dg.AssetCheckSeverity.WARN)


def merged(outcomes: "Iterable[Outcome]") -> "Outcome":
    """What several frames of one table came to, with the samples of the first that have some."""
    from autocorp_assets.checks.schemas import Outcome, bounded

    rows, failures = 0, Counter[str]()
    samples: list[pl.DataFrame] = []
    for outcome in outcomes:
        rows += outcome.rows
        failures.update(outcome.failures)
        samples += [outcome.sample] if outcome.sample.height else []
    return Outcome(rows=rows, failures=dict(failures), sample=bounded(samples))


def _outcomes(
    contract: TableContract, snapshot: "Snapshot | None", on_progress: Callable[[str], None]
) -> "Iterator[Outcome]":
    from autocorp_assets.checks.schemas import validate

    done = 0
    for frame in _frames(contract, snapshot) if snapshot else ():
        yield validate(frame, contract, across_rows=False)
        done += frame.height
        on_progress(f"{contract.name}: {done:,} rows judged")


def _frames(contract: TableContract, snapshot: "Snapshot") -> "Iterator[pl.DataFrame]":
    """All rows, some at a time."""
    import polars as pl
    import pyarrow as pa

    from autocorp_assets.checks.schemas import polars_type
    from autocorp_assets.lake.parquet_dataset import open_dataset

    if not snapshot.files:
        return
    dataset = open_dataset(snapshot, {column.name: column.type for column in contract.lake_columns})
    types = {column.name: polars_type(column) for column in contract.lake_columns}
    held: list[pa.RecordBatch] = []
    for batch in dataset.to_batches(batch_size=BATCH_ROWS, batch_readahead=1, fragment_readahead=1):
        held.append(batch)
        if sum(one.num_rows for one in held) >= BATCH_ROWS:
            yield pl.DataFrame(pa.Table.from_batches(held), schema_overrides=types)
            held = []
    if held:
        yield pl.DataFrame(pa.Table.from_batches(held), schema_overrides=types)
