"""The scheduled check that no raw file was passed over: each is accounted for, or about to be."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.meaning import ERROR, WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.record_tables import records_table

if TYPE_CHECKING:
    from autocorp_assets.lake.accounting import TableAccounting

FILES_ACCOUNTED = "files_accounted"
SAMPLE = 20
"""Files that a result names."""


def accounting_checks(
    contracts: Mapping[str, TableContract], *, condition: dg.AutomationCondition | None = None
) -> list[dg.AssetChecksDefinition]:
    """One check a table; each lists its raw files and reads all of its audit, so it has a schedule of its own."""
    return [_check(contract, condition) for contract in contracts.values()]


def _check(contract: TableContract, condition: dg.AutomationCondition | None) -> dg.AssetChecksDefinition:
    meaning = CheckMeaning(
        title="No raw file was passed over",
        answers=Question.COMPLETE,
        runs=Occasion.HOURLY,
        severity=f"{ERROR}; {WARNING} where files are only gone from raw",
        means=(
            "Every raw file of the table is in the audit, or the next run takes it in, and each account adds up. A "
            "file that is in neither may hold rows that the table misses; an account that does not add up lost or "
            "doubled rows; a file that is gone from raw cannot be judged again."
        ),
        what_to_do=(
            f"`autocorp replay {contract.name} --file F` has a file judged; where an account does not add up, look at "
            "the log of its run first. Restore a file that is gone, if it was not removed on purpose."
        ),
    )

    @dg.asset_check(
        asset=curated_key(contract.name),
        automation_condition=condition,
        name=FILES_ACCOUNTED,
        description=meaning.description,
        metadata=meaning.metadata,
    )
    def files_accounted(lake: dg.ResourceParam[LakeStorage]) -> dg.AssetCheckResult:
        from autocorp_assets.lake.accounting import table_accounting

        return judge_accounting(table_accounting(lake, contract))

    return files_accounted


def judge_accounting(accounting: "TableAccounting") -> dg.AssetCheckResult:
    """An error for files without an account and accounts that do not add up; a warning for files that are gone."""
    from autocorp_assets.lake.accounting import FileState
    from autocorp_assets.lake.audit import OUTCOMES

    unaccounted = accounting.in_state(FileState.UNACCOUNTED)
    gone = accounting.in_state(FileState.GONE)
    not_adding_up = sorted(accounting.not_adding_up, key=lambda account: account.file)
    wrong = [f"{account.file} (read {account.read}, run {account.run_id})" for account in not_adding_up]
    table = accounting.contract.name
    findings = [
        *_finding(unaccounted, f"never accounted for; `autocorp replay {table} --file F` has each judged"),
        *_finding(wrong, "whose account does not add up; see the log of the run, then replay the file"),
        *_finding(gone, "accounted for and gone from raw"),
    ]
    found = {"unaccounted": unaccounted, "not_adding_up": not_adding_up, "gone": gone}
    metadata: dict[str, Any] = {
        "files_in_raw": len(accounting.files),
        "files_accounted": len(accounting.in_state(FileState.ACCOUNTED)),
        "files_pending": len(accounting.in_state(FileState.PENDING)),
        **{f"files_{name}": len(files) for name, files in found.items()},
    }
    sample = [
        *({"file": file, "finding": "never accounted for"} for file in unaccounted[:SAMPLE]),
        *({**asdict(account), "finding": "does not add up"} for account in not_adding_up[:SAMPLE]),
        *({"file": file, "finding": "gone from raw"} for file in gone[:SAMPLE]),
    ]
    if sample:
        metadata["sample"] = records_table(sample, ("file", "finding", "read", *OUTCOMES, "run_id"))
    return dg.AssetCheckResult(
        passed=not findings,
        severity=dg.AssetCheckSeverity.ERROR if unaccounted or wrong else dg.AssetCheckSeverity.WARN,
        description="; ".join(findings) or None,
        metadata=metadata,
    )


def _finding(files: list[str], what: str) -> Iterable[str]:
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield f"{len(files)} raw file(s) {what}: {files[0]}{more}"
