"""How a check's findings are told: counts, a bounded sample and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.record_tables import records_table

HISTORY = 20
"""How many runs back a check's last evaluation is looked for."""

if TYPE_CHECKING:
    from autocorp_assets.checks.schemas import Outcome


def rules_result(
    name: str, key: dg.AssetKey, outcome: Outcome, *, severity: dg.AssetCheckSeverity, limit: int
) -> dg.AssetCheckResult:
    """The result of judging rows; the sample holds no personal data."""
    failing = ", ".join(f"{rule} ({count})" for rule, count in outcome.failures.items())
    metadata: dict[str, Any] = {"rows_checked": outcome.rows, "rows_limit": limit, **_counts(outcome.failures)}
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
    """UTC."""
    evaluation: dg.AssetCheckEvaluation


def last_evaluation(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    """What the check came to when it was last evaluated; runs that planned it and died do not count."""
    last = last_evaluated(instance, key)
    return last.evaluation if last else None


def last_evaluated(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> LastEvaluation | None:
    """The same, with the time."""
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=HISTORY)
    for record in history:
        event = record.event.dagster_event if record.event else None
        if record.event and event and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            at = datetime.fromtimestamp(record.event.timestamp, UTC)
            return LastEvaluation(at=at, evaluation=event.asset_check_evaluation_data)
    return None


def told_again(last: dg.AssetCheckEvaluation, materialization: dg.EventLogRecord) -> dg.AssetCheckEvaluation:
    """The same result, of another materialisation."""
    return dg.AssetCheckEvaluation(
        asset_key=last.asset_key,
        check_name=last.check_name,
        passed=last.passed,
        severity=last.severity,
        description=last.description,
        metadata=last.metadata,
        target_materialization_data=_target(materialization),
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


def _target(materialization: dg.EventLogRecord) -> Any:
    """Of a check's result: the materialisation that it is of.

    It has no public name. Without it Dagster compares times, of which SQLite keeps whole seconds.
    """
    from dagster._core.definitions.asset_checks.asset_check_evaluation import (
        AssetCheckEvaluationTargetMaterializationData,
    )

    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=materialization.storage_id, run_id=materialization.run_id, timestamp=materialization.timestamp
    )


def sample_metadata(outcome: Outcome) -> dg.TableMetadataValue:
    """Failing rows as a table."""
    return records_table(outcome.sample.iter_rows(named=True), outcome.sample.columns)


def _counts(failures: Mapping[str, int]) -> dict[str, Any]:
    most = max(failures.values(), default=0)
    told = [{"rule": rule, "rows": rows} for rule, rows in failures.items()]
    return {"rows_failing": most, **({"failures": records_table(told, ("rows", "rule"))} if told else {})}
