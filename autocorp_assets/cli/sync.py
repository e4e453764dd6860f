"""`autocorp sync`: one headless pass from source to curated tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.operations.sync import SyncReport

app = typer.Typer()
EXAMPLES = """
All of it, for cron: autocorp sync

Two tables, for a script: autocorp sync --table customers --table sales_order --json
"""


@app.command("sync", epilog=EXAMPLES)
def sync_command(
    *,
    table: Annotated[list[str] | None, typer.Option("--table", "-t", help="Only this table; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.")] = False,
) -> None:
    """Replicate, transfer and curate once, with checks; exit code 1 if anything failed.

    JSON: {"ok": bool, "tables": [{"table", "rows_applied", "rows_upserted", "rows_deleted",
    "rows_quarantined", "commit", "error"}],
    "checks": {"passed", "failed", "warned"}, "seconds"}. A check that only warns is no failure.
    """
    from autocorp_assets.operations.sync import sync

    show_pass(lambda on_progress: sync(Settings(), table, on_progress=on_progress), as_json=as_json)


def show_pass(make: Callable[[Callable[[str], None]], SyncReport], *, as_json: bool) -> None:
    """Make a pass, with its progress on stderr, and tell what it came to."""
    with progress_display() as on_progress:
        report = make(on_progress)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _show(report)
    tell_failures(report)


def tell_failures(report: SyncReport) -> None:
    """Tell on stderr why a pass failed, and exit with 1; nothing if it did not."""
    if not report.ok:
        for reason in [f"{t.table}: {t.error}" for t in report.tables if t.error] + list(report.failed_checks):
            typer.secho(f"error: {reason}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


@contextmanager
def progress_display() -> Generator[Callable[[str], None]]:
    """Lines on stderr: above a spinner on a terminal, plain otherwise."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield lambda line: console.print(line, markup=False)
        return
    with console.status("starting") as status:

        def show(line: str) -> None:
            console.print(line, markup=False, style="dim")
            status.update(line.splitlines()[0] if line else "")

        yield show


def _show(report: SyncReport) -> None:
    from rich.console import Console
    from rich.table import Table

    names = ("table", "applied", "upserted", "deleted", "quarantined", "commit")
    table = Table(*names, title=f"{report.seconds:.1f} s")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for row in report.tables:
        counts = (row.rows_applied, row.rows_upserted, row.rows_deleted, row.rows_quarantined)
        table.add_row(row.table, *(f"{count:,}" for count in counts), row.commit or "—")
    Console().print(table)
    checks = report.checks
    typer.echo(f"checks: {checks.passed} passed, {checks.failed} failed, {checks.warned} warned")
    for reason in report.warned_checks:
        typer.secho(f"warning: {reason}", fg=typer.colors.YELLOW)
