"""`autocorp`: the platform's command line.

Modules of commands are listed by name and imported when one of their commands runs, so that
`autocorp --help` and the quick commands do not pay for Dagster, Spark's configuration or DuckDB.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

DEBUG_VARIABLE = "AUTOCORP_DEBUG"
INTERRUPTED = 130
"""Exit code that shells give to a command that Ctrl-C ended."""
OUR_PACKAGES = ("autocorp_assets", "spark_jobs")


class OneLineErrors(TyperGroup):
    """Tells what went wrong in one message on stderr and exits with 1; the traceback is for who asks for it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if _is_for_the_shell(error) or os.environ.get(DEBUG_VARIABLE):
                raise
            typer.secho(f"error: {message_of(error)}", fg=typer.colors.RED, err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            typer.secho("interrupted: nothing is half-done, and the next run carries on", err=True)
            raise typer.Exit(INTERRUPTED) from None


def message_of(error: Exception) -> str:
    """Our errors say what to do; of any other the reader needs the kind, and how to see more."""
    if type(error).__module__.startswith(OUR_PACKAGES):
        return str(error)
    if type(error).__module__.startswith("botocore."):
        from autocorp_assets.resources.aws.clients import explain

        return explain(error)
    return f"{type(error).__name__}: {error}\n(`autocorp --verbose …` shows where)"


def _is_for_the_shell(error: Exception) -> bool:
    """Wrong usage and exit codes, which the command-line library itself reports."""
    return type(error).__module__.split(".")[0] in {"click", "typer"}


app = typer.Typer(
    name="autocorp",
    help="AutoCorp's data lake: PostgreSQL and CSV exports to Hudi and Delta tables.",
    cls=OneLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def root(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")] = False,
) -> None:
    """AutoCorp's data lake: PostgreSQL and CSV exports to Hudi and Delta tables."""
    if verbose:
        os.environ[DEBUG_VARIABLE] = "1"


def _register(module: str) -> None:
    """Add the commands of `autocorp_assets.cli.<module>`, which must be quick to import."""
    name = f"autocorp_assets.cli.{module}"
    if find_spec(name) is None:
        return
    commands: typer.Typer = import_module(name).app
    app.add_typer(commands)


for _module in (
    "source",
    "simulate",
    "query",
    "sync",
    "reload",
    "reconcile",
    "status",
    "report",
    "doctor",
    "audit",
    "trace",
    "quarantine",
    "replay",
    "rebuild",
    "deploy",
    "dev",
    "demo",
    "torture",
):
    _register(_module)
