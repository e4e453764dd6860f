"""`autocorp rebuild`: tables made anew from all that raw has."""

from __future__ import annotations

from typing import Annotated

import typer

from autocorp_assets.cli.sync import show_pass
from autocorp_assets.settings import Settings

app = typer.Typer()
EXAMPLES = """
A table that somebody tampered with: autocorp rebuild customers

An order and its lines, for a script: autocorp rebuild sales_order sales_order_parts sales_order_services --json

Although raw files were lost: autocorp rebuild auto_parts --without-missing
"""


@app.command("rebuild", epilog=EXAMPLES)
def rebuild_command(
    table: Annotated[list[str], typer.Argument(help="Tables, by name.")],
    *,
    without_missing: Annotated[
        bool,
        typer.Option("--without-missing", help="Also if raw has lost files of the table: without their rows."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.")] = False,
) -> None:
    """Make tables anew from raw: its loads, all changes, all exports, by the rules and types that hold now.

    Readers see a table as it was until one commit takes its place, and earlier versions can still be queried with
    --as-of. Works beside `autocorp dev`, and the stream goes on. Only where a Hudi table has to change the type of a
    column in a way that Hudi cannot, the old table is moved to curated/replaced/, and its history begins anew. A table
    whose folder is gone needs no rebuild: the next pass makes it again.

    Exit code 1 with the reason if a table could not be rebuilt; one that has lost raw files is left as it is, and the
    files are named. JSON: as of `autocorp sync --json`.
    """
    from autocorp_assets.operations.replay import rebuild

    show_pass(
        lambda on_progress: rebuild(Settings(), table, without_missing=without_missing, on_progress=on_progress),
        as_json=as_json,
    )
