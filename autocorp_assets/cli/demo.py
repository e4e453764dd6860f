"""`autocorp demo`: the main job from nothing, and its proof."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autocorp_assets.cli.local_only import local_settings

if TYPE_CHECKING:
    from rich.console import Console

    from autocorp_assets.operations.demo import Demo, DemoReport, Progress

app = typer.Typer()
EXAMPLES = """
As it is meant, with 1.2 million customers: autocorp demo

Quickly: autocorp demo --customers 2000 --orders 300

For a script: autocorp demo --json report.json
"""
INTERRUPTED = 130


@app.command(epilog=EXAMPLES)
def demo(
    *,
    customers: Annotated[int, typer.Option(min=1, help="People in the customers export.")] = 1_200_000,
    orders: Annotated[int, typer.Option(min=1, help="Orders in the sales export, with the usual dirt.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other choices in the burst of changes.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report to this file.")] = None,
) -> None:
    """Run the main job in a fresh data folder: load, curate, change the source, follow, compare every value.

    Exit code 0 only if source and lake agree by key and value and no check failed. JSON: {"ok": bool,
    "tables": [{"table", "seed_rows", "source_rows", "lake_rows", "csv_rows", "differences"}], "seconds": {step: s},
    "checks": {"passed", "failed"}, "problems": [text]}; lake_rows are the lake's rows from the database.
    The data folder (AUTOCORP_HOME) is replaced if an earlier demo made it, and refused if anything else did.
    """
    from rich.console import Console

    from autocorp_assets.operations.demo import Demo

    settings = local_settings("demo", instead="There `autocorp sync` makes a pass and `autocorp reconcile` proves it.")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with _display(console) as (on_step, on_progress):
        report = _run(
            Demo(
                # Its exports are for no other landing folder than its own.
                settings=settings.model_copy(update={"landing": None}),
                customers=customers,
                orders=orders,
                seed=seed,
                on_step=on_step,
                on_progress=on_progress,
            )
        )
    if json_file is not None:
        json_file.write_text(json.dumps(report.to_dict(), indent=2, default=str) + "\n")
    _show(report)
    if not report.ok:
        for problem in report.problems:
            console.print(f"problem: {problem}", style="red", markup=False)
        raise typer.Exit(1)


def _run(demo: Demo) -> DemoReport:
    try:
        return demo.run()
    except KeyboardInterrupt:
        typer.secho("\ninterrupted: the source and Spark were stopped; `autocorp sync` carries on", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _display(console: Console) -> Generator[tuple[Progress, Progress]]:
    """The step and, on a terminal, its latest line under it; plain lines otherwise."""
    if not console.is_terminal:
        yield (
            lambda name: console.print(f"== {name}", markup=False),
            lambda line: console.print(line, markup=False),
        )
        return
    with console.status("starting") as status:

        def step(name: str) -> None:
            console.print(f"[bold]{name}[/bold]")
            status.update(name)

        def progress(line: str) -> None:
            console.print(f"  {line}", markup=False, style="dim")

        yield step, progress


def _show(report: DemoReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if report.tables:
        table = Table(title="Source against lake, every value compared", title_justify="left")
        table.add_column("table", no_wrap=True)
        for name in ("seeded", "source", "lake", "lake (CSV)", "differences"):
            table.add_column(name, justify="right", no_wrap=True)
        for line in report.tables:
            counts = (line.seed_rows, line.source_rows, line.lake_rows, line.csv_rows, line.differences)
            table.add_row(line.table, *(f"{count:,}" for count in counts))
        console.print(table)
    for answer in report.answers:
        console.print(f"{answer.question}", style="bold", markup=False)
        console.print(f"  before the changes: {_values(answer.before)}", markup=False)
        console.print(f"  now:                {_values(answer.now)}", markup=False)
    if report.saved_answer is not None:
        saved = report.saved_answer
        first = Table(*saved.columns, title=f"@{saved.file}", title_justify="left", box=None)
        for row in saved.rows:
            first.add_row(*map(str, row))
        console.print(first)
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.seconds.items())
    console.print(f"{times}; checks: {report.checks_passed} passed, {report.checks_failed} failed", markup=False)
    if report.ok:
        console.print(
            "Source and lake agree. Next: `make dev` for the platform with its UI, or\n"
            '  .venv/bin/autocorp query "SELECT state, count(*) AS people FROM customer GROUP BY state"',
            markup=False,
        )


def _values(row: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
