"""`autocorp torture`: the platform killed again and again under load, and its proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autocorp_assets.cli.local_only import local_settings

if TYPE_CHECKING:
    from autocorp_assets.operations.torture.run import TortureReport

app = typer.Typer()
EXAMPLES = """
As it is meant: autocorp torture --minutes 5

Shortly, and for a script: autocorp torture --minutes 0.5 --seed 7 --json report.json

Look at what it leaves: autocorp torture --minutes 1 --keep
"""


@app.command(epilog=EXAMPLES)
def torture(
    *,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long load and kills go on.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other changes and other moments.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Where to work.", show_default=".autocorp-torture in the project")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder also when all is well.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report to this file.")] = None,
) -> None:
    """Kill replicator, Spark, Dagster and PostgreSQL under load; then compare every row.

    Runs a platform of its own in a folder of its own: one that an earlier torture made is emptied, any other that
    holds something is refused, and no other platform or database is touched. Exit code 0 only if every row of every
    table, every CSV delivery and every account agree; otherwise 1, with the keys that differ, and the folder is kept.
    JSON: {"ok", "seed", "folder", "seconds", "kills": {victim: n}, "absent": {victim: n}, "restarts_of_dev", "changes",
    "transactions_refused", "connections_broken", "deliveries", "loads", "caught_up_by_itself", "commits",
    "differences", "tables": [{"table", "source_rows", "lake_rows", "csv_rows", "commits", "differences", "sample"}],
    "histories": {"table key": text}, "problems": [text]}.
    """
    from autocorp_assets.operations.torture.run import Torture, default_folder

    local_settings("torture", instead="There `autocorp reconcile` compares every row while everything goes on.")
    report = Torture(
        folder=(folder or default_folder()).expanduser().resolve(),
        minutes=minutes,
        seed=seed,
        keep=keep,
        say=lambda line: typer.echo(line, err=True),
    ).run()
    if json_file is not None:
        json_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n")
    _show(report)
    if not report.ok:
        raise typer.Exit(1)


def _show(report: TortureReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    kills = Table("killed", "times", title=f"seed {report.seed}, {report.seconds:.0f} s", title_justify="left")
    kills.columns[1].justify = "right"
    for victim, count in report.kills.items():
        kills.add_row(victim, f"{count:,}")
    console.print(kills)
    rows = Table("table", "source", "lake", "lake (CSV)", "commits", "differences")
    for column in rows.columns[1:]:
        column.justify = "right"
    for line in report.tables:
        counts = (line.source_rows, line.lake_rows, line.csv_rows, line.commits, line.differences)
        rows.add_row(line.table, *(f"{count:,}" for count in counts))
    console.print(rows)
    console.print(
        f"{sum(report.kills.values())} kills, {report.changes:,} changes in the source, {report.deliveries} CSV "
        f"deliveries, {report.commits} commits, {report.differences} differences",
        markup=False,
    )
    if report.ok:
        return
    for line in report.tables:
        for found in line.sample:
            console.print(f"differs: {line.table}: {found}", style="red", markup=False)
    for row, history in report.histories.items():
        console.print(f"history of {row}:\n{history}", markup=False)
    for problem in report.problems:
        console.print(f"problem: {problem}", style="red", markup=False)
    console.print(
        f"Kept for a look: {report.folder} (kills.jsonl, dev.log, home/logs, home/lake). With AUTOCORP_HOME="
        f"{report.folder}/home every command works on it.",
        markup=False,
    )
