"""`autocorp doctor`: is everything there that the deployment needs?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from autocorp_assets.cli.sync import progress_display
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.operations.doctor.examination import Report

app = typer.Typer()
EXAMPLES = """
Before the first start: autocorp doctor

An account: AUTOCORP_DEPLOYMENT=aws AUTOCORP_AWS_PARAMETERS=/autocorp/production autocorp doctor

What is to be done, with jq: autocorp doctor --json | jq -r '.findings[] | select(.remedy != "") | .remedy'
"""
PIPE_WIDTH = 1000
STYLES = {"ok": "green", "warning": "yellow", "failure": "red"}


@app.command("doctor", epilog=EXAMPLES)
def doctor_command(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON on stdout.")] = False
) -> None:
    """Look at every permission, endpoint and setting that the deployment needs; exit code 1 if something is missing.

    Changes nothing; on AWS it writes one small object below processed/_doctor/ in the lake and deletes it. Each check
    may take 10 seconds. A warning is no failure.

    JSON: {"ok": bool, "deployment", "findings": [{"subject", "status": "ok" | "warning" | "failure", "found",
    "remedy"}]}.
    """
    from autocorp_assets.operations.doctor.examination import examine

    settings = Settings()
    with progress_display() as on_progress:
        report = examine(settings, on_progress=on_progress)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _show(report)
    if not report.is_ok:
        raise typer.Exit(1)


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from autocorp_assets.cli.tables import printable

    table = Table("what", "", "found", box=None, padding=(0, 1))
    for finding in report.findings:
        found = Text(printable(finding.found), overflow="fold")
        if finding.remedy:
            found.append(f"\n→ {printable(finding.remedy)}", style="bold")
        table.add_row(Text(finding.subject), Text(finding.status, STYLES[finding.status]), found)
    console = Console()
    (console if console.is_terminal else Console(width=PIPE_WIDTH)).print(table)
    counts = {status: sum(finding.status == status for finding in report.findings) for status in STYLES}
    typer.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
