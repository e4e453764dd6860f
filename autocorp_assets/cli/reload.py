"""`autocorp reload`: tables loaded anew from the database."""

from __future__ import annotations

from typing import Annotated

import typer

from autocorp_assets.cli.sync import show_pass
from autocorp_assets.settings import Settings

app = typer.Typer()
EXAMPLES = """
A table that somebody tampered with: autocorp reload customers

An order and its lines, for a script: autocorp reload sales_order sales_order_parts sales_order_services --json
"""


@app.command("reload", epilog=EXAMPLES)
def reload_command(
    table: Annotated[list[str], typer.Argument(help="Tables of the database, by name.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.")] = False,
) -> None:
    """Load tables anew: afterwards each holds what the database does, and no row that it does not.

    Only what differs is written: rows that were lost or changed in the lake, and deletes of those that the
    source does not have. Rows of CSV exports stay. Earlier versions can still be queried with --as-of. Changes
    of other tables go on meanwhile. Works beside `autocorp dev` and without it.

    Exit code 1 with the reason of each table that could not be loaded. JSON: as of `autocorp sync --json`.
    """
    from autocorp_assets.operations.sync import sync

    show_pass(lambda on_progress: sync(Settings(), table, reload=True, on_progress=on_progress), as_json=as_json)
