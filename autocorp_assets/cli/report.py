"""`autocorp report`: how the lake stands and how the last days went, as one page for whoever asks."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from autocorp_assets.report.model import Report
    from autocorp_assets.resources.ports.replication import ReplicationState

app = typer.Typer()
STDOUT = "-"
DAYS = 14
EXAMPLES = """
Today's page, into the current folder: autocorp report

The last month, for a mail: autocorp report --days 31 --output lake.html

Into a pipe: autocorp report --output - | gzip > lake.html.gz

What is wrong, with jq: autocorp report --json | jq '.issues[] | select(.state == "error") | .what, .what_to_do'
"""


@app.command("report", epilog=EXAMPLES)
def report_command(
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write; - is stdout.", show_default="report-<today>.html"
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days that are counted, today included.")] = DAYS,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a page, on stdout unless FILE is given.")] = (
        False
    ),
) -> None:
    """Write one self-contained HTML page: what is fresh, complete and correct, what is not, and what to do.

    It needs no network to be read, can be printed, and holds no personal data. Works whether or not anything runs.

    JSON: {"state", "headline", "answers": [{"question", "state", "told", "issues"}], "issues": [{"state", "answers",
    "where", "tables", "what", "why", "what_to_do"}], "report": {"generated_at", "days", "deployment", "replication",
    "tables": [{"table", "rows", "freshness", "taken_in", "checks", "quarantine", "reconciliation", "schema_changes",
    "failure", …}], "other_checks"}}. States are good, unknown, warning and error.
    """
    settings, now = Settings(), datetime.now(UTC)
    report = collect_report(settings, now=now, days=days)
    if as_json:
        _put(_as_json(report), output or STDOUT)
    else:
        from autocorp_assets.report.page import render

        _put(render(report), output or f"report-{now:%Y-%m-%d}.html")


def collect_report(settings: Settings, *, now: datetime, days: int) -> Report:
    """Reads lake and Dagster's records; where there are none yet, none are made."""
    from autocorp_assets.definitions import definitions
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.operations.checks_reference import described_checks
    from autocorp_assets.operations.instance import open_instance
    from autocorp_assets.report.collect import Collector

    def collect(instance: dg.DagsterInstance | None) -> Report:
        return Collector(
            lake=LakeStorage(settings.lake),
            instance=instance,
            replication=_replication(settings),
            checks=described_checks(definitions(settings)),
            now=now,
            days=days,
            deployment=settings.deployment,
        ).collect()

    if not settings.dagster_folder.is_dir():
        return collect(None)
    with open_instance(settings) as instance:
        return collect(instance)


def _replication(settings: Settings) -> ReplicationState | None:
    """How it stands; None where the deployment has nothing that tells, and the reason where it cannot be asked."""
    from autocorp_assets.deployments import deployment_resources
    from autocorp_assets.resources.ports.replication import ReplicationError, ReplicationState

    replication = deployment_resources(settings).get("replication")
    try:
        state = getattr(replication, "state", None)
        return state() if state else None
    except ReplicationError as error:
        return ReplicationState(running=False, should_run=True, summary=str(error))


def _as_json(report: Report) -> str:
    from autocorp_assets.report.verdict import judge

    return json.dumps({**asdict(judge(report)), "report": asdict(report)}, indent=2, default=str) + "\n"


def _put(content: str, output: str) -> None:
    if output == STDOUT:
        typer.echo(content, nl=False)
        return
    path = Path(output).expanduser().absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whoever serves or mails the file meanwhile gets the old page or the new one, never a part.
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(content, encoding="utf-8")
    draft.replace(path)
    typer.echo(str(path))
