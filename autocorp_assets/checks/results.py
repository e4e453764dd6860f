"""How a check's findings are told: counts, a bounded sample and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

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


def sample_metadata(outcome: Outcome) -> dg.TableMetadataValue:
    """Failing rows as a table of texts."""
    rows = [
        dg.TableRecord({name: "" if value is None else str(value) for name, value in row.items()})
        for row in outcome.sample.iter_rows(named=True)
    ]
    return dg.MetadataValue.table(
        rows, schema=dg.TableSchema(columns=[dg.TableColumn(name=name) for name in outcome.sample.columns])
    )


def _counts(failures: Mapping[str, int]) -> dict[str, Any]:
    return {"failures": dict(failures), "rows_failing": max(failures.values(), default=0)}
