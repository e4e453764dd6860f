"""Checks of a curated table that run with each of its runs, on what the run changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.file_sizes import LARGE_BYTES, MIB, NEEDLESS_LIMIT, SMALL_BYTES, file_sizes
from autocorp_assets.checks.meaning import ERROR, WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.checks.results import as_result, last_evaluations, rules_result, told_again
from autocorp_assets.contracts.model import CsvFeed, LakeFormat, TableContract
from autocorp_assets.record_tables import records_table

if TYPE_CHECKING:
    from autocorp_assets.lake.snapshots import Snapshot
    from autocorp_assets.resources.ports.query import Query

RULES = "rules"
ACCOUNTING = "rows_accounted"
FILES_ACCEPTED = "files_accepted"
COLUMNS_NAMED = "columns_in_contract"
FILE_SIZES = "file_sizes"

VERDICTS = (RULES, ACCOUNTING)
"""Those that fail when what the run wrote may be wrong: the views of the table are held back meanwhile."""

SAMPLE = 20
"""Files, or columns, that a result lists."""
OUTCOMES = ("applied", "unchanged", "superseded", "duplicate", "quarantined")
"""What becomes of a row that was read, exactly one of them."""

Files = Sequence[Mapping[str, Any]]
"""Counts of each raw file, as the job reports them: `{"file", "read", "applied", …}`."""


def check_specs(contract: TableContract) -> list[dg.AssetCheckSpec]:
    """The checks of one table."""
    return [
        dg.AssetCheckSpec(
            name=name, asset=curated_key(contract.name), description=meaning.description, metadata=meaning.metadata
        )
        for name, meaning in _meanings(contract).items()
    ]


def _meanings(contract: TableContract) -> dict[str, CheckMeaning]:
    meanings = {
        RULES: _meaning_of_rules(contract),
        ACCOUNTING: _meaning_of_accounting(contract),
        COLUMNS_NAMED: _meaning_of_columns_named(contract),
        FILE_SIZES: _meaning_of_file_sizes(contract),
    }
    if feed := contract.csv_feed:
        meanings[FILES_ACCEPTED] = _meaning_of_files_accepted(feed)
    return meanings


def _meaning_of_rules(contract: TableContract) -> CheckMeaning:
    csv_row = (
        " A CSV row that does should be in quarantine: if one is here, job and contract disagree, which is a defect of "
        "the platform."
    )
    return CheckMeaning(
        title="The rows keep the table's rules",
        answers=Question.CORRECT,
        runs=Occasion.EACH_CURATION,
        severity=ERROR,
        means=(
            "The rows that the run changed have the contract's types and keep its rules. A database row that "
            f"breaks one mirrors the source and stays.{csv_row if contract.csv_feed else ''}"
        ),
        what_to_do=(
            f"Correct the rows in the source: the result's sample names them, and `autocorp trace {contract.name} KEY` "
            "tells where one comes from. The next change of the row is judged anew."
        ),
    )


def _meaning_of_accounting(contract: TableContract) -> CheckMeaning:
    return CheckMeaning(
        title="Every row that was read is accounted for",
        answers=Question.COMPLETE,
        runs=Occasion.EACH_CURATION,
        severity=ERROR,
        means=(f"For each raw file of the run, rows read = {' + '.join(OUTCOMES)}. If not, rows were lost or doubled."),
        what_to_do=(
            f"Keep the lake as it is, look at the job's log, and compare by `autocorp reconcile {contract.name}`. "
            f"`autocorp replay {contract.name} --file F` has a file judged again."
        ),
    )


def _meaning_of_columns_named(contract: TableContract) -> CheckMeaning:
    return CheckMeaning(
        title="The contract names every column",
        answers=Question.CORRECT,
        runs=Occasion.EACH_CURATION,
        severity=WARNING,
        means=(
            "A column that the contract does not name was added in the source: its values are in "
            f"`autocorp_lake.{contract.name}`, and not in `autocorp.{contract.name}`."
        ),
        what_to_do=f"Name it in `autocorp_assets/contracts/{contract.name}.py`, or drop it in the source.",
    )


def _meaning_of_file_sizes(contract: TableContract) -> CheckMeaning:
    return CheckMeaning(
        title="The table's files are neither too many nor too large",
        answers=Question.FIT,
        runs=Occasion.EACH_CURATION,
        severity=WARNING,
        means=(
            f"Beyond {NEEDLESS_LIMIT} needless small files (below {SMALL_BYTES // MIB} MiB, and not the only one "
            "of their folder) queries become slow and S3 dear; a file above "
            f"{LARGE_BYTES // MIB:,} MiB makes each small change slow. No row is wrong."
        ),
        what_to_do=(
            "Nothing tonight. Have the table compacted "
            f"({'clustering' if contract.format is LakeFormat.HUDI else 'OPTIMIZE'}), or rebuild it from raw as "
            "the runbook says."
        ),
    )


def _meaning_of_files_accepted(feed: CsvFeed) -> CheckMeaning:
    return CheckMeaning(
        title="No delivered file is refused",
        answers=Question.COMPLETE,
        runs=Occasion.EACH_CURATION,
        severity=ERROR,
        means=f"A delivery of feed `{feed.name}` that is refused as a whole has brought none of its rows.",
        what_to_do="Correct the file as its reason says, and deliver it again under the same name.",
    )


def check_table(
    contract: TableContract,
    *,
    snapshot: Snapshot,
    files: Files,
    selected: frozenset[dg.AssetCheckKey],
    query: Query,
) -> Iterator[dg.AssetCheckResult]:
    """The results of a table's selected checks after a run.

    Args:
        contract: the table.
        snapshot: the table as the run left it.
        files: counts of the raw files of the run; empty when nothing was pending.
        selected: checks that the run is to report.
        query: asked for the rows of a table that is too large to be read here.
    """
    key = curated_key(contract.name)
    # Without a file there is nothing to judge: what the last change came to still holds.
    if files and dg.AssetCheckKey(key, RULES) in selected:
        yield _rules(contract, snapshot, files, query)
    if files and dg.AssetCheckKey(key, ACCOUNTING) in selected:
        yield _accounting(key, files)
    if dg.AssetCheckKey(key, COLUMNS_NAMED) in selected:
        yield _columns_named(contract, snapshot)
    if dg.AssetCheckKey(key, FILE_SIZES) in selected:
        yield _file_sizes(key, snapshot)
    if dg.AssetCheckKey(key, FILES_ACCEPTED) in selected:
        yield _files_accepted(key, snapshot)


def still_holding(
    contract: TableContract, instance: dg.DagsterInstance, selected: frozenset[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckResult]:
    """For a table that a run has not changed, what the checks of its rows came to at the last change.

    A check that a run plans and does not report would show as skipped, and hide an older finding.
    """
    keys = [dg.AssetCheckKey(curated_key(contract.name), name) for name in (RULES, ACCOUNTING)]
    for last in last_evaluations(instance, [key for key in keys if key in selected]).values():
        yield as_result(told_again(last))


def _rules(contract: TableContract, snapshot: Snapshot, files: Files, query: Query) -> dg.AssetCheckResult:
    from autocorp_assets.checks.changed_rows import ROW_LIMIT, changed_rows
    from autocorp_assets.checks.schemas import validate
    from autocorp_assets.query.errors import QueryError

    try:
        rows = changed_rows(snapshot, [file["file"] for file in files], contract, query=query)
    except QueryError as error:
        # The commit is made, and nobody knows of a wrong row in it.
        return dg.AssetCheckResult(
            check_name=RULES,
            asset_key=curated_key(contract.name),
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"the changed rows could not be read, so none was judged: {error}",
        )
    return rules_result(
        RULES,
        curated_key(contract.name),
        validate(rows, contract),
        severity=dg.AssetCheckSeverity.ERROR,
        limit=ROW_LIMIT,
    )


def _accounting(key: dg.AssetKey, files: Files) -> dg.AssetCheckResult:
    wrong = [file for file in files if file["read"] != sum(int(file.get(outcome, 0)) for outcome in OUTCOMES)]
    return dg.AssetCheckResult(
        check_name=ACCOUNTING,
        asset_key=key,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{len(wrong)} of {len(files)} raw files do not add up" if wrong else None,
        metadata={
            "files_checked": len(files),
            "rows_read": sum(int(file["read"]) for file in files),
            **({"files": records_table(wrong[:SAMPLE], ("file", "read", *OUTCOMES))} if wrong else {}),
        },
    )


def unnamed_columns(contract: TableContract, stored: Mapping[str, str]) -> dict[str, str]:
    """Columns of the stored table, and their types, that neither the contract names nor the lake adds."""
    known = {column.name for column in contract.lake_columns}
    return {name: of for name, of in stored.items() if name not in known}


def _columns_named(contract: TableContract, snapshot: Snapshot) -> dg.AssetCheckResult:
    unnamed = unnamed_columns(contract, snapshot.columns)
    shown = dict(list(unnamed.items())[:SAMPLE])
    told = ", ".join(f"{name} ({of})" for name, of in shown.items())
    more = f" and {len(unnamed) - len(shown)} more" if len(unnamed) > len(shown) else ""
    unnamed_rows = [{"column": name, "type": of} for name, of in shown.items()]
    return dg.AssetCheckResult(
        check_name=COLUMNS_NAMED,
        asset_key=curated_key(contract.name),
        passed=not unnamed,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"the contract does not name {told}{more}: add it there, or drop it in the source"
        if unnamed
        else None,
        metadata={
            "unknown_columns": len(unnamed),
            **({"columns": records_table(unnamed_rows, ("column", "type"))} if unnamed else {}),
        },
    )


def _file_sizes(key: dg.AssetKey, snapshot: Snapshot) -> dg.AssetCheckResult:
    sizes = dict(zip(snapshot.files, snapshot.file_sizes, strict=True))
    found = file_sizes(sizes)
    largest = sorted(sizes.items(), key=lambda item: item[1], reverse=True)
    too_large = [{"file": file, "bytes": size} for file, size in largest[:SAMPLE] if size > LARGE_BYTES]
    complaints = [
        *([f"{found.needless:,} needless small files"] if found.needless > NEEDLESS_LIMIT else []),
        *([f"{found.large:,} files above {LARGE_BYTES // MIB:,} MiB"] if found.large else []),
    ]
    return dg.AssetCheckResult(
        check_name=FILE_SIZES,
        asset_key=key,
        passed=found.is_fine,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{' and '.join(complaints)} of {found.files:,}" if complaints else None,
        metadata={
            "files_checked": found.files,
            "folders": found.folders,
            "bytes": found.total,
            "bytes_median": found.median,
            "bytes_largest": found.largest,
            "files_small": found.small,
            "files_small_share": round(found.small_share, 3),
            "files_small_needless": found.needless,
            "files_large": found.large,
            **({"sample": records_table(too_large, ("file", "bytes"))} if too_large else {}),
        },
    )


def _files_accepted(key: dg.AssetKey, snapshot: Snapshot) -> dg.AssetCheckResult:
    deliveries = snapshot.checkpoint.deliveries if snapshot.checkpoint else {}
    refused = {name: delivery.refused for name, delivery in sorted(deliveries.items()) if delivery.refused}
    told = [{"file": name, "reason": reason} for name, reason in refused.items()]
    return dg.AssetCheckResult(
        check_name=FILES_ACCEPTED,
        asset_key=key,
        passed=not refused,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(f"{name}: {reason}" for name, reason in list(refused.items())[:5]) or None,
        metadata={
            "deliveries": len(deliveries),
            "deliveries_refused": len(refused),
            **({"refused": records_table(told[:SAMPLE], ("file", "reason"))} if refused else {}),
        },
    )
