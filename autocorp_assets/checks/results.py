"""How a check's findings are told: counts, a bounded sample and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.record_tables import records_table

COMMIT, CONTRACT = "commit", "contract_version"
HISTORY = 20
"""How many runs back a check's last evaluation is looked for."""

if TYPE_CHECKING:
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
        **({"rows_limit": limit} if limit else {}),
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


def commit_metadata(contract: TableContract, snapshot: Snapshot | None) -> dict[str, dg.MetadataValue]:
    """By which `result_of_commit` knows a result: of which version of the table it is, judged by which contract."""
    told = {COMMIT: snapshot.commit, CONTRACT: contract.version} if snapshot else {}
    return {name: dg.MetadataValue.text(value) for name, value in told.items()}


def result_of_commit(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, contract: TableContract, snapshot: Snapshot | None
) -> dg.AssetCheckResult | None:
    """What the check last came to, if that was of this version of the table by this contract: it reads no table twice.

    Only for a check whose result follows from the table's rows alone.
    """
    last = last_evaluation(instance, key) if snapshot else None
    if last is None or snapshot is None:
        return None
    told = {name: value for name, value in last.metadata.items() if name in {COMMIT, CONTRACT}}
    if told != commit_metadata(contract, snapshot):
        return None
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=last.passed,
        severity=last.severity,
        description=last.description,
        metadata=last.metadata,
    )


def told_without_a_run(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey], materialization: dg.EventLogRecord
) -> Iterator[dg.AssetCheckEvaluation]:
    """The last results, for a materialisation that is of no run; none of those that count for it as they are.

    Dagster counts a result for all materialisations of its own run, and takes "no run" for one. So what was told again
    with one heartbeat counts for all that follow, and need not be stored with each, three times, all day long.
    """
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    counts = {key for key, record in newest.items() if not record.run_id}
    for key in keys:
        if key not in counts and (last := last_evaluation(instance, key)):
            yield told_again(last, materialization)


def told_again(last: dg.AssetCheckEvaluation, materialization: dg.EventLogRecord) -> dg.AssetCheckEvaluation:
    """The same result, of another materialisation."""
    # It has no public name. Without it Dagster compares times, of which SQLite keeps whole seconds.
    from dagster._core.definitions.asset_checks.asset_check_evaluation import (
        AssetCheckEvaluationTargetMaterializationData as Target,
    )

    return dg.AssetCheckEvaluation(
        asset_key=last.asset_key,
        check_name=last.check_name,
        passed=last.passed,
        severity=last.severity,
        description=last.description,
        metadata=last.metadata,
        target_materialization_data=Target(
            storage_id=materialization.storage_id, run_id=materialization.run_id, timestamp=materialization.timestamp
        ),
    )


def sample_metadata(outcome: Outcome) -> dg.TableMetadataValue:
    """Failing rows as a table."""
    return records_table(outcome.sample.iter_rows(named=True), outcome.sample.columns)


def _counts(failures: Mapping[str, int]) -> dict[str, Any]:
    most = max(failures.values(), default=0)
    told = [{"rule": rule, "rows": rows} for rule, rows in failures.items()]
    return {"rows_failing": most, **({"failures": records_table(told, ("rows", "rule"))} if told else {})}
