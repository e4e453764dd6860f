"""How a check's findings are told: counts, a bounded sample and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.record_tables import records_table

COMMIT, CONTRACT = "commit", "contract_version"
JUDGED_AT = "judged_at"
"""Metadata of a result that is told again: when it was found."""
HISTORY = 20
"""How many runs back a check's last evaluation is looked for."""

if TYPE_CHECKING:
    from dagster._core.definitions.asset_checks.asset_check_evaluation import (
        AssetCheckEvaluationTargetMaterializationData,
    )
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

    from autocorp_assets.checks.schemas import Outcome
    from autocorp_assets.contracts.model import TableContract
    from autocorp_assets.lake.snapshots import Snapshot


def rules_result(
    name: str, key: dg.AssetKey, outcome: Outcome, *, severity: dg.AssetCheckSeverity, limit: int | None = None
) -> dg.AssetCheckResult:
    """The result of judging rows; the sample holds no personal data."""
    failing = ", ".join(f"{rule} ({count})" for rule, count in outcome.failures.items())
    metadata: dict[str, Any] = {
        "rows_checked": outcome.rows,
        # The UI plots it, which means something only where rows were left out.
        **({"rows_limit": limit} if limit and outcome.rows >= limit else {}),
        **_counts(outcome.failures),
    }
    if outcome.sample.height:
        metadata["sample"] = sample_metadata(outcome)
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=key,
        passed=outcome.passed,
        severity=severity,
        description=f"{failing} of {outcome.rows} rows" if failing else f"{outcome.rows} rows keep every rule",
        metadata=metadata,
    )


@dataclass(frozen=True, kw_only=True)
class LastEvaluation:
    """What a check came to when it was last evaluated."""

    at: datetime
    """UTC; when it was found, however often it has been told again since."""
    evaluation: dg.AssetCheckEvaluation


def last_evaluation(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    """What the check came to when it was last evaluated; runs that planned it and died do not count."""
    last = last_evaluated(instance, key)
    return last.evaluation if last else None


def last_evaluated(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> LastEvaluation | None:
    """The same, with the time."""
    return last_evaluations(instance, [key]).get(key)


def last_evaluations(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]
) -> dict[dg.AssetCheckKey, LastEvaluation]:
    """The same of several checks, by one query for all whose newest run has not died."""
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    found = {key: _evaluated(record) or _in_history(instance, key) for key, record in newest.items()}
    return {key: last for key, last in found.items() if last}


def _in_history(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> LastEvaluation | None:
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=HISTORY)
    return next((last for record in history if (last := _evaluated(record))), None)


def _evaluated(record: AssetCheckExecutionRecord) -> LastEvaluation | None:
    event = record.event.dagster_event if record.event else None
    if record.event is None or event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    evaluation = event.asset_check_evaluation_data
    told = evaluation.metadata.get(JUDGED_AT)
    at = told.value if isinstance(told, dg.TimestampMetadataValue) else record.event.timestamp
    return LastEvaluation(at=datetime.fromtimestamp(at, UTC), evaluation=evaluation)


def judged_once(
    instance: dg.DagsterInstance,
    key: dg.AssetCheckKey,
    contract: TableContract,
    snapshot: Snapshot | None,
    judge: Callable[[], dg.AssetCheckResult],
) -> dg.AssetCheckResult:
    """What a check last came to, if that was of this version of the table by this contract: no table is read twice.

    Only for a check whose result follows from the table's rows alone.

    Args:
        instance: has the last result.
        key: of the check.
        contract: the table.
        snapshot: its newest version; None where it does not exist.
        judge: reads the table, in this version or a newer one.
    """
    version = {} if snapshot is None else {COMMIT: snapshot.commit, CONTRACT: contract.version}
    told = {name: dg.MetadataValue.text(value) for name, value in version.items()}
    last = last_evaluation(instance, key) if told else None
    if last is None or {name: last.metadata.get(name) for name in told} != told:
        result = judge()
        return result._replace(metadata={**(result.metadata or {}), **told})
    # It is true now, whenever it was found.
    return as_result(last, {name: value for name, value in last.metadata.items() if name != JUDGED_AT})


def as_result(
    evaluation: dg.AssetCheckEvaluation, metadata: Mapping[str, dg.MetadataValue] | None = None
) -> dg.AssetCheckResult:
    """An evaluation as the result of a check that runs now, with other metadata if they are given."""
    return dg.AssetCheckResult(
        asset_key=evaluation.asset_key,
        check_name=evaluation.check_name,
        passed=evaluation.passed,
        severity=evaluation.severity,
        description=evaluation.description,
        metadata=evaluation.metadata if metadata is None else metadata,
    )


def told_without_a_run(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey], materialization: dg.EventLogRecord
) -> Iterator[dg.AssetCheckEvaluation]:
    """The last results, for a materialisation that is of no run; none of those that count for it as they are.

    Dagster counts a result for all materialisations of its own run, and takes "no run" for one. So what was told again
    with one heartbeat counts for all that follow, and need not be stored with each, three times, all day long.
    """
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    told = {key for key, record in newest.items() if not record.run_id}
    for last in last_evaluations(instance, [key for key in keys if key not in told]).values():
        yield told_again(last, materialization)


def told_by_a_run(instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckEvaluation]:
    """The last results of checks that do not run with their table, for a run that has materialised it.

    They count for what the run has materialised, since they are of the same run. Without them the UI would show a check
    of every hour as never evaluated from the table's next change on.
    """
    for last in last_evaluations(instance, keys).values():
        yield told_again(last)


def told_again(last: LastEvaluation, materialization: dg.EventLogRecord | None = None) -> dg.AssetCheckEvaluation:
    """The same result, of another materialisation, and when it was found. One that passes is told without tables."""
    result = last.evaluation
    kept = {
        name: value
        for name, value in result.metadata.items()
        if not (result.passed and isinstance(value, dg.TableMetadataValue))
    }
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata={**kept, JUDGED_AT: dg.MetadataValue.timestamp(last.at)},
        target_materialization_data=_target(materialization) if materialization else None,
    )


def report_result(instance: dg.DagsterInstance, result: dg.AssetCheckResult) -> None:
    """Have Dagster know a result without a run. It names its asset and its check."""
    asset, check = result.asset_key, result.check_name
    if asset is None or check is None:
        message = f"the result {result} does not name its asset and its check"
        raise ValueError(message)
    materialized = instance.fetch_materializations(asset, limit=1).records
    evaluation = dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=check,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
        target_materialization_data=_target(materialized[0]) if materialized else None,
    )
    instance.report_runless_asset_event(evaluation)


def _target(materialization: dg.EventLogRecord) -> AssetCheckEvaluationTargetMaterializationData:
    """What a result is of. Without it Dagster compares times, of which SQLite keeps whole seconds."""
    # It has no public name.
    from dagster._core.definitions.asset_checks.asset_check_evaluation import (
        AssetCheckEvaluationTargetMaterializationData,
    )

    of = materialization
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=of.storage_id, run_id=of.run_id, timestamp=of.timestamp
    )


def sample_metadata(outcome: Outcome) -> dg.TableMetadataValue:
    """Failing rows as a table."""
    return records_table(outcome.sample.iter_rows(named=True), outcome.sample.columns)


def _counts(failures: Mapping[str, int]) -> dict[str, Any]:
    most = max(failures.values(), default=0)
    told = [{"rule": rule, "rows": rows} for rule, rows in failures.items()]
    return {"rows_failing": most, **({"failures": records_table(told, ("rows", "rule"))} if told else {})}
