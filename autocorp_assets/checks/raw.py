"""Checks of the raw zone: they warn, since raw keeps whatever the source said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from autocorp_assets.asset_keys import raw_feed_key, raw_table_key
from autocorp_assets.checks.results import rules_result
from autocorp_assets.contracts.model import CsvFeed, TableContract
from autocorp_assets.record_tables import records_table

if TYPE_CHECKING:
    from autocorp_assets.checks.raw_frames import SchemaFindings
    from autocorp_assets.lake.storage import LakeStorage

SCHEMA = "schema"
RULES = "rules"
FILES_ACCEPTED = "files_accepted"
FILES_TOLD = 5
"""Of files that were not taken, how many the description names; the metadata names all."""


def raw_check_specs(key: dg.AssetKey, name: str) -> list[dg.AssetCheckSpec]:
    """The checks of one raw table or feed."""
    return [
        dg.AssetCheckSpec(
            name=SCHEMA,
            asset=key,
            description=(
                f"The newest files of `{name}` have the contract's columns and types. An unknown column of the "
                "database is carried into the lake under its own name, one of a CSV is not; a missing one is null "
                "there; a type from which there is no lossless way to "
                "the contract's stops the table's curation. Bring contract and source together again."
            ),
        ),
        dg.AssetCheckSpec(
            name=RULES,
            asset=key,
            description=(
                f"The newest rows of `{name}` keep the contract's rules. A database row that breaks one is applied "
                "all the same: correct it in the source. A CSV row that does goes to quarantine: correct the export."
            ),
        ),
    ]


def raw_feed_check_specs(feed: CsvFeed) -> list[dg.AssetCheckSpec]:
    """The checks of one raw feed."""
    key = raw_feed_key(feed.name)
    return [
        *raw_check_specs(key, feed.name),
        dg.AssetCheckSpec(
            name=FILES_ACCEPTED,
            asset=key,
            description=(
                f"Everything in the landing place that looks like a file of `{feed.name}` was taken. What was not is "
                "named with its remedy, and holds nothing else up; the next transfer looks again."
            ),
        ),
    ]


def check_raw_table(
    lake: LakeStorage, contract: TableContract, *, selected: frozenset[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckResult]:
    """Judge a database table's newest files."""
    from autocorp_assets.checks.raw_frames import newest_changes, table_findings

    key = raw_table_key(contract.name)
    if dg.AssetCheckKey(key, SCHEMA) in selected:
        yield _schema_result(key, table_findings(lake, contract))
    if dg.AssetCheckKey(key, RULES) in selected:
        from autocorp_assets.checks.raw_frames import ROW_LIMIT
        from autocorp_assets.checks.schemas import validate

        outcome = validate(newest_changes(lake, contract), contract)
        yield rules_result(RULES, key, outcome, severity=dg.AssetCheckSeverity.WARN, limit=ROW_LIMIT)


def check_raw_feed(
    lake: LakeStorage,
    feed: CsvFeed,
    contract: TableContract,
    *,
    ignored: Mapping[str, str],
    selected: frozenset[dg.AssetCheckKey],
) -> Iterator[dg.AssetCheckResult]:
    """Judge a feed's newest delivery, and name what the transfer left where it was (remedy by name)."""
    from autocorp_assets.checks.raw_frames import feed_findings, newest_delivery

    key = raw_feed_key(feed.name)
    if dg.AssetCheckKey(key, FILES_ACCEPTED) in selected:
        yield _accepted_result(key, ignored)
    if dg.AssetCheckKey(key, SCHEMA) in selected:
        yield _schema_result(key, feed_findings(lake, feed, contract))
    if dg.AssetCheckKey(key, RULES) in selected:
        from autocorp_assets.checks.raw_frames import ROW_LIMIT
        from autocorp_assets.checks.schemas import validate

        outcome = validate(newest_delivery(lake, feed, contract), contract)
        yield rules_result(RULES, key, outcome, severity=dg.AssetCheckSeverity.WARN, limit=ROW_LIMIT)


def _accepted_result(key: dg.AssetKey, ignored: Mapping[str, str]) -> dg.AssetCheckResult:
    told = [f"{name}: {remedy}" for name, remedy in sorted(ignored.items())[:FILES_TOLD]]
    remedies = [{"file": name, "what to do": remedy} for name, remedy in sorted(ignored.items())]
    return dg.AssetCheckResult(
        check_name=FILES_ACCEPTED,
        asset_key=key,
        passed=not ignored,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(told) or None,
        metadata={
            "files_not_taken": len(ignored),
            **({"remedies": records_table(remedies, ("file", "what to do"))} if ignored else {}),
        },
    )


def _schema_result(key: dg.AssetKey, findings: SchemaFindings) -> dg.AssetCheckResult:
    found = [{"difference": difference} for difference in findings.differences]
    return dg.AssetCheckResult(
        check_name=SCHEMA,
        asset_key=key,
        passed=not findings.differences,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(findings.differences) or None,
        metadata={
            "files_checked": findings.files,
            "differences": len(findings.differences),
            **({"sample": records_table(found, ("difference",))} if found else {}),
        },
    )
