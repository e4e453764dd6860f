"""The scheduled check that lines sum to what their order says, over whole tables."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.meaning import WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.contracts.model import SumsLines, TableContract
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table

ORDER_ARITHMETIC = "order_arithmetic"
SAMPLE = 20
"""Orders that a result lists."""
SAMPLE_COLUMNS = ("record_key", "total", "lines", "sum_of_lines", "raw_file")


class OrderArithmeticConfig(dg.Config):
    """How long a sum must have been wrong."""

    quiet_minutes: float = 15
    """A sum that was another one so long ago is not judged: tables commit apart, on AWS once in ten minutes."""


def order_arithmetic_checks(
    contracts: Mapping[str, TableContract], *, condition: dg.AutomationCondition | None = None
) -> list[dg.AssetChecksDefinition]:
    """One check for each table whose rows sum up lines; it reads whole tables, so it has a schedule of its own."""
    return [
        _check(contract, rule, condition)
        for contract in contracts.values()
        for rule in contract.rules
        if isinstance(rule, SumsLines)
    ]


def _check(
    contract: TableContract, rule: SumsLines, condition: dg.AutomationCondition | None
) -> dg.AssetChecksDefinition:
    meaning = CheckMeaning(
        title="The lines add up to the order",
        answers=Question.CORRECT,
        runs=Occasion.HOURLY,
        severity=WARNING,
        means=(
            f"`{rule.total}` of each row is the sum of `{rule.amount}` of its lines in {' and '.join(rule.tables)}, to "
            "the cent. If not, a line is missing, or there is one too many. Not judged are an exported order whose "
            "files of lines have not been taken in, one of which a line is in quarantine, one without an amount, and "
            "one that was still right a quarter of an hour ago, since tables commit apart."
        ),
        what_to_do=(
            f"`autocorp trace {contract.name} KEY` tells where the order comes from. For one of the database, "
            f"`autocorp reconcile {' '.join(rule.tables)}` tells whether the source has the same lines: then correct "
            "it there. For an exported one, look for the order in the file of lines of the same day, and have the "
            "wrong one of the two files corrected and delivered again under its name."
        ),
    )

    @dg.asset_check(
        asset=curated_key(contract.name),
        automation_condition=condition,
        name=ORDER_ARITHMETIC,
        description=meaning.description,
        metadata=meaning.metadata,
    )
    def order_arithmetic(config: OrderArithmeticConfig, lake: dg.ResourceParam[LakeStorage]) -> dg.AssetCheckResult:
        return judge_line_sums(lake, contract, rule, now=datetime.now(UTC), quiet_minutes=config.quiet_minutes)

    return order_arithmetic


def judge_line_sums(
    lake: LakeStorage, contract: TableContract, rule: SumsLines, *, now: datetime, quiet_minutes: float
) -> dg.AssetCheckResult:
    """A warning if rows have another total than their lines; they are counted, and the newest listed."""
    from autocorp_assets.checks.line_sums import sum_lines

    quiet_since = now - timedelta(minutes=quiet_minutes)
    found = sum_lines(lake, contract, rule, quiet_since=quiet_since, limit=SAMPLE)
    judged = found.right + found.wrong
    return dg.AssetCheckResult(
        passed=not found.wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{found.wrong:,} of {judged:,} orders are not the sum of their lines" if found.wrong else None,
        metadata={
            "rows_checked": judged,
            "rows_failing": found.wrong,
            "rows_settling": found.settling,
            "rows_with_line_in_quarantine": found.explained,
            "rows_without_delivered_lines": found.undelivered,
            "rows_without_amount": found.unknown,
            "quiet_minutes": quiet_minutes,
            **({"sample": records_table(map(asdict, found.sample), SAMPLE_COLUMNS)} if found.sample else {}),
        },
    )
