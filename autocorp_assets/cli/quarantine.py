"""`autocorp quarantine`: rows that are kept out of their table, why, and judging them again."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autocorp_assets.cli.arguments import known_table, the_file
from autocorp_assets.cli.sync import progress_display, tell_failures
from autocorp_assets.cli.tables import print_table, printable
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.lake.quarantine import QuarantinedRow
    from autocorp_assets.operations.replay import QuarantineReplay

app = typer.Typer(
    name="quarantine", help="Rows that are kept out of their table, and why.", invoke_without_command=True
)
ROWS = 20
LIST_EXAMPLES = """
What is kept out, and why: autocorp quarantine

How many rows of each table, with jq: autocorp quarantine list --json | jq '.tables | map_values(.rows)'
"""
SHOW_EXAMPLES = """
The first rows: autocorp quarantine show sales_order

Of one reason: autocorp quarantine show sales_order --reason order_date

All of one file, whole, for a spreadsheet: autocorp quarantine show customers -f customers-20241121.csv --json --limit 0
"""
REPLAY_EXAMPLES = """
After a rule was mended: autocorp quarantine replay sales_order

One file only: autocorp quarantine replay sales_order --file sales_orders-20241121.csv
"""
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON on stdout.")]


@app.callback()
def quarantine(context: typer.Context) -> None:
    """Rows that are kept out of their table, and why; `list` unless you say otherwise."""
    if context.invoked_subcommand is None:
        list_command(as_json=False)


@app.command("list", epilog=LIST_EXAMPLES)
def list_command(*, as_json: AsJson = False) -> None:
    """Count the rows in quarantine now, by table, file and reason.

    JSON: {"tables": {table: {"rows", "groups": [{"table", "file", "reason", "rows", "first", "last"}]}}}. A row
    that breaks two rules is in two groups.
    """
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.lake.quarantine import Quarantine
    from autocorp_assets.lake.storage import LakeStorage

    lake = LakeStorage(Settings().lake)
    groups = {name: Quarantine(lake, contract).groups() for name, contract in TABLES.items()}
    rows = {name: Quarantine(lake, TABLES[name]).count() if found else 0 for name, found in groups.items()}
    if as_json:
        tables = {name: {"rows": rows[name], "groups": [asdict(group) for group in groups[name]]} for name in TABLES}
        typer.echo(json.dumps({"tables": tables}, indent=2, default=str))
        return
    if not sum(rows.values()):
        typer.echo("nothing is in quarantine")
        return
    shown = [
        [g.table, g.file.rsplit("/", 1)[-1], g.reason, g.rows, f"{g.first:%m-%d %H:%M}", f"{g.last:%m-%d %H:%M}"]
        for found in groups.values()
        for g in found
    ]
    print_table(["table", "file", "reason", "rows", "first (UTC)", "last (UTC)"], shown)
    typer.echo(", ".join(f"{name}: {count:,} rows" for name, count in rows.items() if count))


@app.command("show", epilog=SHOW_EXAMPLES)
def show_command(
    table: Annotated[str, typer.Argument(help="The table.")],
    *,
    reason: Annotated[str | None, typer.Option(help="Only rows of which a reason holds this text.")] = None,
    file: Annotated[str | None, typer.Option("--file", "-f", help="Only rows of this raw file.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows to show; 0 for all.")] = ROWS,
    personal: Annotated[bool, typer.Option("--personal", help="Show personal values too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show rows in quarantine whole, each with its file, position and reasons.

    JSON: {"table", "rows": [{"file", "position", "record_key", "reasons", "row", "run_id", "quarantined_at"}]}.
    """
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.lake.quarantine import Quarantine, shown_row
    from autocorp_assets.lake.storage import LakeStorage

    lake = LakeStorage(Settings().lake)
    contract = TABLES[known_table(table)]
    files = [the_file(lake, file, [table])] if file else None
    rows = Quarantine(lake, contract).rows(reason=reason, files=files, limit=limit or None)
    values = [shown_row(row, contract, personal=personal) for row in rows]
    if as_json:
        listed = [{**asdict(row), "row": value} for row, value in zip(rows, values, strict=True)]
        typer.echo(json.dumps({"table": table, "rows": listed}, indent=2, default=str))
        return
    for row, value in zip(rows, values, strict=True):
        _show(row, value)
    typer.echo(f"{len(rows)} row(s){'; --limit 0 shows all' if limit and len(rows) == limit else ''}", err=True)


def _show(row: QuarantinedRow, value: dict[str, Any]) -> None:
    typer.echo(f"{row.file}, row {row.position}: {'; '.join(row.reasons)}")
    typer.echo(f"  {printable(json.dumps(value, ensure_ascii=False))}")


@app.command("replay", epilog=REPLAY_EXAMPLES)
def replay_command(
    table: Annotated[str, typer.Argument(help="The table.")],
    *,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", help="Only rows of this raw file; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge again every file that has rows in quarantine, as the rules are now.

    JSON: {"ok", "table", "files", "missing", "before", "after", "left", "stays": {reason: rows}, "report"}. Exit
    code 1 if the pass failed.
    """
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.operations.replay import replay_quarantine

    settings = Settings()
    lake = LakeStorage(settings.lake)
    known_table(table)
    files = [the_file(lake, name, [table]) for name in file] if file else None
    with progress_display() as on_progress:
        result = replay_quarantine(settings, table, files, on_progress=on_progress)
    if as_json:
        typer.echo(json.dumps(result.to_dict(), indent=2))
    else:
        _show_replay(result)
    if result.report is not None:
        tell_failures(result.report)


def _show_replay(result: QuarantineReplay) -> None:
    for file in result.missing:
        typer.echo(f"{file} is no longer in raw: its rows stay in quarantine")
    if not result.files:
        typer.echo(f"{result.table}: nothing in quarantine can be judged again")
        return
    typer.echo(
        f"{result.table}: {result.before:,} rows of {len(result.files)} file(s) judged again; {result.left:,} left "
        f"quarantine, {result.after:,} stay"
    )
    for reason, rows in result.stays.items():
        typer.echo(f"  {rows:,} {reason}")
