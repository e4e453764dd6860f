"""`autocorp replay`: raw files judged and applied again."""

from __future__ import annotations

from typing import Annotated

import typer

from autocorp_assets.cli.sync import show_pass
from autocorp_assets.settings import Settings

app = typer.Typer()
EXAMPLES = """
A file that no run has accounted for: autocorp replay customers --file customers-20241121.csv

All of some days, after a rule was mended: autocorp replay sales_order --since 2024-11-18 --until 2024-11-20

The exports of a feed, or only what came from the database: autocorp replay --feed sales_orders

All that raw has of two tables: autocorp replay service service_parts
"""


@app.command("replay", epilog=EXAMPLES)
def replay_command(
    table: Annotated[list[str] | None, typer.Argument(help="Tables; may be left out with --feed of an export.")] = None,
    *,
    feed: Annotated[
        str, typer.Option("--feed", help="Only files of this feed: `database`, or an export such as `sales_orders`.")
    ] = "",
    since: Annotated[str, typer.Option("--since", help="Only files of this day (YYYY-MM-DD) or later.")] = "",
    until: Annotated[str, typer.Option("--until", help="Only files of this day (YYYY-MM-DD) or earlier.")] = "",
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", help="Only this raw file, by path or name; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.")] = False,
) -> None:
    """Judge raw files again and apply them; with everything newer, so that nothing old comes back.

    Works beside `autocorp dev`, and the stream goes on: what arrives meanwhile is taken in by the next run. The day
    of a change file is that of its flush, of a load its start, of an export the date in its name.

    JSON: the report of `autocorp sync --json`. Exit code 1 if anything failed, or nothing is selected.
    """
    from autocorp_assets.lake.selection import Selection
    from autocorp_assets.operations.replay import replay

    selection = Selection.of_text(tables=table or (), feed=feed, since=since, until=until, files=file or ())
    show_pass(lambda on_progress: replay(Settings(), selection, on_progress=on_progress), as_json=as_json)
