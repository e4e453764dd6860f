"""Checks of the raw zone: they warn, since raw keeps whatever the source said."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from autocorp_assets.asset_keys import raw_feed_key, raw_table_key
from autocorp_assets.checks.meaning import WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.checks.results import rules_result
from autocorp_assets.contracts import TABLE_BY_FEED
from autocorp_assets.contracts.model import CsvFeed, TableContract
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table

if TYPE_CHECKING:
    from autocorp_assets.checks.raw_frames import SchemaFindings

SCHEMA = "schema"
RULES = "rules"
FILES_ACCEPTED = "files_accepted"
FILES_TOLD = 5
"""Of files that were not taken, how many the description names."""
SAMPLE = 20
"""Files that a result lists."""


def raw_table_checks(
    contracts: Mapping[str, TableContract], *, condition: dg.AutomationCondition
) -> dg.AssetChecksDefinition:
    """The checks of all raw tables of the database, in one step.

    Not of the op that replicates: replication runs by itself, and nobody has to ask for it.
    """
    specs = [spec for contract in contracts.values() for spec in raw_check_specs(contract, condition)]

    @dg.multi_asset_check(name="raw_table_checks", specs=specs, can_subset=True)
    def checks(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeStorage]
    ) -> Iterator[dg.AssetCheckResult]:
        for contract in contracts.values():
            yield from check_raw_table(lake, contract, selected=frozenset(context.selected_asset_check_keys))

    return checks


def raw_check_specs(
    contract: TableContract, condition: dg.AutomationCondition | None = None
) -> list[dg.AssetCheckSpec]:
    """The checks of one raw table of the database."""
    name = contract.name
    specs = _specs(
        raw_table_key(name),
        {
            SCHEMA: CheckMeaning(
                title="The source sends the columns that were agreed",
                answers=Question.CORRECT,
                runs=Occasion.NEWEST_FILES,
                severity=WARNING,
                means=(
                    f"The newest change files of `{name}` have the contract's columns and types. An unknown column is "
                    "carried into the lake under its own name, a missing one is null there, and a type from which "
                    "there is no lossless way to the contract's stops the table."
                ),
                what_to_do=f"Bring `autocorp_assets/contracts/{name}.py` and the source together again.",
            ),
            RULES: CheckMeaning(
                title="The source's newest rows keep the rules",
                answers=Question.CORRECT,
                runs=Occasion.NEWEST_FILES,
                severity=WARNING,
                means=f"A row of `{name}` that breaks a rule is applied all the same: the lake mirrors the database.",
                what_to_do="Correct the rows in the source; the result's sample names them.",
            ),
        },
    )
    return [spec._replace(automation_condition=condition) for spec in specs]


def raw_feed_check_specs(feed: CsvFeed) -> list[dg.AssetCheckSpec]:
    """The checks of one raw feed."""
    return _specs(
        raw_feed_key(feed.name),
        {
            SCHEMA: CheckMeaning(
                title="The export has the columns that were agreed",
                answers=Question.CORRECT,
                runs=Occasion.EACH_TRANSFER,
                severity=WARNING,
                means=(
                    f"The header of the newest file of `{feed.name}` has the contract's columns. An unknown one is not "
                    "taken into the lake, a missing one is null there, and a file without a needed one is refused."
                ),
                what_to_do="Have the export corrected, and the file delivered again under the same name.",
            ),
            RULES: CheckMeaning(
                title="The export's rows keep the rules",
                answers=Question.CORRECT,
                runs=Occasion.EACH_TRANSFER,
                severity=WARNING,
                means=(
                    f"A row of `{feed.name}` that breaks a rule goes to quarantine, unless what is wrong can be mended."
                ),
                what_to_do=(
                    f"`autocorp quarantine show {TABLE_BY_FEED[feed.name].name}` lists what is kept out and why. Have "
                    "the export corrected, and the file delivered again under the same name."
                ),
            ),
            FILES_ACCEPTED: CheckMeaning(
                title="Every file in the landing place was taken",
                answers=Question.COMPLETE,
                runs=Occasion.EACH_TRANSFER,
                severity=WARNING,
                means=(
                    f"What looks like a file of `{feed.name}` and was not taken is named with its remedy; it holds "
                    "nothing else up."
                ),
                what_to_do="Do what the file's remedy says; the next transfer looks again.",
            ),
        },
    )


def _specs(key: dg.AssetKey, meanings: Mapping[str, CheckMeaning]) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(name=name, asset=key, description=meaning.description, metadata=meaning.metadata)
        for name, meaning in meanings.items()
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
    remedies = [{"file": name, "what to do": remedy} for name, remedy in sorted(ignored.items())[:SAMPLE]]
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


def _schema_result(key: dg.AssetKey, findings: "SchemaFindings") -> dg.AssetCheckResult:
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
