"""`autocorp replay`: raw files of a table judged and applied again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from autocorp_assets.cli.arguments import known_table, the_file
from autocorp_assets.cli.sync import show_pass
from autocorp_assets.settings import Settings

app = typer.Typer()
EXAMPLES = """
A file that no run has accounted for: autocorp replay customers --file customers-20241121.csv

All of the last days, after a rule was mended: autocorp replay sales_order --since 2024-11-18
"""


@app.command("replay", epilog=EXAMPLES)
def replay_command(
    table: Annotated[str, typer.Argument(help="The table.")],
    *,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", help="This raw file, by path or name; may be repeated.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="All files whose date is on or after this day.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.")] = False,
) -> None:
    """Judge raw files of a table again and apply them; with everything newer, so that nothing old comes back.

    JSON: the report of `autocorp sync --json`. Exit code 1 if anything failed.
    """
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.operations.replay import files_since, replay

    settings = Settings()
    lake = LakeStorage(settings.lake)
    known_table(table)
    if not file and since is None:
        message = "say which files: --file, which may be repeated, or --since"
        raise typer.BadParameter(message)
    files = {the_file(lake, name, [table]) for name in file or ()}
    files |= set(files_since(lake, table, since.date())) if since else set()
    if not files:
        typer.echo(f"{table} has no raw file of {since:%Y-%m-%d} or later: nothing to do")
        return
    show_pass(lambda on_progress: replay(settings, table, files, on_progress=on_progress), as_json=as_json)
