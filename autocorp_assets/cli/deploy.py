"""`autocorp deploy`: what a release needs in the account beside its infrastructure."""

from __future__ import annotations

from typing import Annotated

import typer

from autocorp_assets.settings import Settings

app = typer.Typer()
EXAMPLES = """
What would change: AUTOCORP_DEPLOYMENT=aws autocorp deploy --dry-run

After each release, and once more when the first tables are there: AUTOCORP_DEPLOYMENT=aws autocorp deploy
"""
NOTHING_LOCAL = (
    "nothing to deploy: the local deployment makes its catalog and its views with each question, and runs the job's "
    "code where it lies. For AWS: AUTOCORP_DEPLOYMENT=aws autocorp deploy"
)


@app.command(epilog=EXAMPLES)
def deploy(
    *, dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change; nothing does.")] = False
) -> None:
    """Bring the account to this release: the Glue job's code, databases, Delta tables and views of the catalog.

    The infrastructure (bucket, job, workgroup, …) must be there; `autocorp doctor` tells.

    Only what differs is done, so it may be run at any time. Views that no file of queries/views makes are left alone.
    Exit code 1 when something could not be done; the rest is.
    """
    settings = Settings()
    if settings.deployment != "aws":
        typer.echo(NOTHING_LOCAL)
        return
    from autocorp_assets.operations.deploy import carry_out, plan_deployment

    plan = plan_deployment(settings)
    for name in plan.unknown:
        typer.echo(f"autocorp.{name} is no view of this release: it is left alone (DROP VIEW in Athena)", err=True)
    for waiting in plan.waiting:
        typer.echo(waiting, err=True)
    if dry_run:
        for step in plan.steps:
            typer.echo(f"would be done: {step.what}")
    problems = plan.problems if dry_run else carry_out(plan, on_progress=typer.echo)
    if not plan.steps and not problems:
        typer.echo("nothing to do: the account is at this release")
    for problem in problems:
        typer.secho(f"error: {problem}", fg=typer.colors.RED, err=True)
    if problems:
        raise typer.Exit(1)
