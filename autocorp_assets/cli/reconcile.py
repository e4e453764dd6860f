"""`autocorp reconcile`: whether the lake holds what the source says, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autocorp_assets.cli.sync import progress_display
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.reconciliation.findings import Comparison, ExportReconciliation, Finding, TableReconciliation
    from autocorp_assets.resources.ports.progress import Progress

app = typer.Typer()
EXAMPLES = """
All tables: autocorp reconcile

Every key, and all that exports have delivered too: autocorp reconcile --full

A range of one table's keys: autocorp reconcile sales_order --from 1 --to 5000

What differs, with jq: autocorp reconcile --json | jq '.tables[] | select(.differences > 0) | .sample'
"""
KEYS_SHOWN = 5
"""Of one kind; --json has more."""


@app.command("reconcile", epilog=EXAMPLES)
def reconcile_command(
    *,
    table: Annotated[list[str] | None, typer.Argument(help="Only these tables.", show_default=False)] = None,
    key_from: Annotated[str | None, typer.Option("--from", metavar="KEY", help="Only keys from this one on.")] = None,
    key_to: Annotated[str | None, typer.Option("--to", metavar="KEY", help="Only keys up to this one.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Read every key of the source, and every export.")] = False,
    deadline: Annotated[float, typer.Option(help="Seconds that a table may wait for replication.")] = 300,
    statement: Annotated[float, typer.Option(help="Seconds that one query of the source may take.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Compare source and lake by key and value; exit code 1 if they differ.

    Works while everything goes on: a key that a raw file not yet applied changes is waiting, one whose last change
    is in quarantine is named with it, and neither is a difference. Costs the source one scan of each table. With
    --full, as it runs by itself every Sunday night, sums of ranges that are equal are not enough, and every record
    that an export has ever named must be in the lake or in quarantine.

    JSON: {"ok": bool, "tables": [{"table", "commit", "rows_source", "rows_lake", "buckets", "buckets_differing",
    "keys_read_again", "differences", "waiting", "quarantined", "unsettled", "columns_left_out", "seconds",
    "sample": [{"key", "verdict", "detail"}]}], "exports": [{"table", "feed", "commit", "files", "files_refused",
    "files_waiting", "files_gone", "rows_read", "rows_quarantined", "keys", "rows_lake", "differences", "replaced",
    "unsettled", "seconds", "sample"}]}. `unsettled` keys differ, and replication did not get far enough, or a file is
    gone, to tell why. `exports` are empty without --full.
    """
    if full and (key_from or key_to):
        message = "--full compares all keys: leave --from and --to out"
        raise typer.BadParameter(message)
    with progress_display() as on_progress:
        found = list(
            _compared(
                table, key_from, key_to, full=full, deadline=deadline, statement=statement, on_progress=on_progress
            )
        )
        exports = _compared_exports(table, on_progress) if full else []
    ok = not any(one.differences for one in (*found, *exports))
    if as_json:
        value = {
            "ok": ok,
            "tables": [to_dict(one) for one in found],
            "exports": [export_to_dict(one) for one in exports],
        }
        typer.echo(json.dumps(value, indent=2))
    else:
        _show(found, exports)
    if not ok:
        raise typer.Exit(1)


def _compared(
    tables: Sequence[str] | None,
    key_from: str | None,
    key_to: str | None,
    *,
    full: bool,
    deadline: float,
    statement: float,
    on_progress: Progress,
) -> Iterator[TableReconciliation]:
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.deployments import source_ports
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.reconciliation.keys import KeyRange
    from autocorp_assets.reconciliation.reconcile import Reconciler
    from autocorp_assets.reconciliation.source_table import SourceTable

    if unknown := [name for name in tables or () if name not in TABLES]:
        message = f"no table {', '.join(unknown)}; there are {', '.join(TABLES)}"
        raise typer.BadParameter(message)
    contracts = [TABLES[name] for name in tables or TABLES]
    try:
        ranges = [KeyRange.parse(contract, key_from, key_to) for contract in contracts]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    settings = Settings()
    source, replication = source_ports(settings)
    reconciler = Reconciler(
        lake=LakeStorage(settings.lake),
        replication=replication,
        deadline_seconds=deadline,
        on_progress=on_progress,
    )
    with source.connect(statement_seconds=statement) as connection:
        for contract, keys in zip(contracts, ranges, strict=True):
            yield reconciler.compare(SourceTable.of(connection, contract), keys, every_key=full)


def _compared_exports(tables: Sequence[str] | None, on_progress: Progress) -> list[ExportReconciliation]:
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.reconciliation.exports import compare_exports

    lake = LakeStorage(Settings().lake)
    contracts = [TABLES[name] for name in tables or TABLES]
    return [compare_exports(lake, contract, on_progress=on_progress) for contract in contracts if contract.csv_feed]


def to_dict(found: TableReconciliation) -> dict[str, Any]:
    """The documented JSON of one table."""
    from autocorp_assets.reconciliation.findings import Verdict

    return {
        "table": found.table,
        "commit": found.commit,
        "rows_source": found.source_rows,
        "rows_lake": found.lake_rows,
        "buckets": found.buckets,
        "buckets_differing": found.buckets_differing,
        "keys_read_again": found.keys_read_again,
        "differences": found.differences,
        "waiting": found.counts[Verdict.WAITING],
        "quarantined": found.counts[Verdict.QUARANTINED],
        "unsettled": found.unsettled,
        "columns_left_out": list(found.columns_left_out),
        "seconds": found.seconds,
        "sample": _sample(found),
    }


def export_to_dict(found: ExportReconciliation) -> dict[str, Any]:
    """The documented JSON of one feed."""
    from autocorp_assets.reconciliation.findings import Verdict

    return {
        "table": found.table,
        "feed": found.feed,
        "commit": found.commit,
        "files": found.files,
        "files_refused": found.files_refused,
        "files_waiting": found.files_waiting,
        "files_gone": found.files_gone,
        "rows_read": found.rows_read,
        "rows_quarantined": found.rows_quarantined,
        "keys": found.keys,
        "rows_lake": found.lake_rows,
        "differences": found.differences,
        "replaced": found.counts[Verdict.REPLACED],
        "unsettled": found.unsettled,
        "seconds": found.seconds,
        "sample": _sample(found),
    }


def _sample(found: Comparison) -> list[dict[str, Any]]:
    return [{"key": finding.key, "verdict": str(finding.verdict), "detail": finding.detail} for finding in found.sample]


def _show(found: Sequence[TableReconciliation], exports: Sequence[ExportReconciliation]) -> None:
    from rich.console import Console
    from rich.table import Table

    from autocorp_assets.reconciliation.findings import Verdict

    # Narrow enough for a terminal of 80 columns.
    shown = Table("table", "source", "lake", "buckets", "waiting", "quarantined", "differ", box=None, padding=(0, 1))
    shown.columns[0].no_wrap = True
    for column in shown.columns[1:]:
        column.justify = "right"
    for one in found:
        shown.add_row(
            one.table,
            f"{one.source_rows:,}",
            f"{one.lake_rows:,}",
            f"{one.buckets:,}",
            f"{one.counts[Verdict.WAITING]:,}",
            f"{one.counts[Verdict.QUARANTINED]:,}",
            f"{one.differences:,}",
        )
    console = Console(soft_wrap=True, highlight=False)
    console.print(shown)
    for one in found:
        for line in told(one):
            console.print(line, markup=False, style="yellow" if one.differences else None)
    for export in exports:
        for line in told_of_export(export):
            console.print(line, markup=False, style="yellow" if export.differences else None)


def told(found: TableReconciliation) -> Iterator[str]:
    """What is to be said of a table, keys of one kind together."""
    yield from _told_keys(found)
    if found.columns_left_out:
        yield f"{found.table}: not compared, since the source lacks them: {', '.join(found.columns_left_out)}"
    if found.differences:
        yield f"{found.table}: `autocorp reload {found.table}` mends it from the source"


def told_of_export(found: ExportReconciliation) -> Iterator[str]:
    """What is to be said of all deliveries of a feed."""
    yield f"{found.table}: {found.describe()}"
    for what, files in (
        ("refused, so that nothing of them is in the lake", found.files_refused),
        ("not taken in yet", found.files_waiting),
        ("gone from raw, so that they cannot be compared", found.files_gone),
    ):
        if files:
            yield f"{found.table}: {files:,} exports are {what}"
    yield from _told_keys(found)


def _told_keys(found: Comparison) -> Iterator[str]:
    from autocorp_assets.reconciliation.findings import Verdict

    groups: dict[tuple[Verdict, str], list[Finding]] = {}
    for finding in found.sample:
        # Each waiting key may have a file of its own: the first tells enough.
        kind = "" if finding.verdict is Verdict.WAITING else finding.detail
        groups.setdefault((finding.verdict, kind), []).append(finding)
    for (verdict, _), some in groups.items():
        detail = f" ({some[0].detail})" if some[0].detail else ""
        keys = ", ".join("" if finding.key is None else str(finding.key) for finding in some[:KEYS_SHOWN])
        yield f"{found.table}: {verdict}{detail}: {keys}{', …' if len(some) > KEYS_SHOWN else ''}"
