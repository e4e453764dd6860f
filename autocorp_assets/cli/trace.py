"""`autocorp trace`: where a row came from and everything that happened to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autocorp_assets.cli.arguments import known_table
from autocorp_assets.cli.tables import printable
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.contracts.model import TableContract
    from autocorp_assets.operations.row_fates import TracedVersion
    from autocorp_assets.operations.trace import Trace, TracedRecord

app = typer.Typer()
EXAMPLES = """
An order of either system, by its number: autocorp trace sales_order 17

Only the database's: autocorp trace sales_order db:17

All lines of an order: autocorp trace sales_order_parts csv:17

A person of the export, by email, with all values: autocorp trace customers ada@example.org --personal

For a script: autocorp trace auto_parts BRK-001 --json | jq '.records[].versions[].became'
"""


@app.command("trace", epilog=EXAMPLES)
def trace_command(
    table: Annotated[str, typer.Argument(help="The table.")],
    key: Annotated[str, typer.Argument(help="Primary key, key of the CSV feed, or record key such as db:12.")],
    *,
    personal: Annotated[bool, typer.Option("--personal", help="Show personal values too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON on stdout.")] = False,
) -> None:
    """Each version of a row in raw, with its file, its time and what became of it; raw is scanned for it.

    JSON: {"table", "key", "records": [{"record_key", "stored": {"change_seq", "changed_at", "raw_file", "commit"},
    "versions": [{"operation", "at", "file", "position", "change_seq", "values", "changed", "unchanged",
    "became"}]}], "unreadable": {file: reason}}. Exit code 1 if the key never occurred.
    """
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.operations.trace import trace

    contract = TABLES[known_table(table)]
    found = trace(Settings(), table, key)
    if as_json:
        typer.echo(json.dumps(_as_json(found, contract, personal=personal), indent=2, default=str))
    else:
        _show(found, contract, personal=personal)
    for file, reason in found.unreadable.items():
        typer.secho(f"not searched: {file}: {reason}", fg=typer.colors.YELLOW, err=True)
    if not found.records:
        message = f"error: {key} never occurred in {table}: no raw file holds it, and the lake has no such row"
        typer.secho(message, fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


def _as_json(found: Trace, contract: TableContract, *, personal: bool) -> dict[str, Any]:
    return {
        "table": found.table,
        "key": found.key,
        "records": [
            {
                "record_key": record.record_key,
                "stored": asdict(record.stored) if record.stored else None,
                "versions": [_version(traced, contract, personal=personal) for traced in record.versions],
            }
            for record in found.records
        ],
        "unreadable": dict(found.unreadable),
    }


def _version(traced: TracedVersion, contract: TableContract, *, personal: bool) -> dict[str, Any]:
    from autocorp_assets.operations.trace import shown_values

    version = traced.version
    names = ("operation", "at", "file", "position", "change_seq", "unchanged")
    return {
        **{name: getattr(version, name) for name in names},
        "values": shown_values(version, contract, personal=personal),
        "changed": traced.changed,
        "became": traced.became,
    }


def _show(found: Trace, contract: TableContract, *, personal: bool) -> None:
    for record in found.records:
        typer.echo(f"{found.table} {record.record_key}: {_where(record)}")
        if record.stored and not record.versions:
            typer.echo("  no raw file holds it")
        for traced in record.versions:
            version = traced.version
            time = f"{version.at:%Y-%m-%d %H:%M:%S} UTC" if version.at else "no time"
            typer.echo(f"\n  {time}  {version.operation}: {traced.became}")
            typer.echo(f"    {version.file}, row {version.position}")
            for line in _values(traced, contract, personal=personal):
                typer.echo(f"    {line}")
        typer.echo("")


def _where(record: TracedRecord) -> str:
    if record.stored is None:
        return "not in the lake"
    commit = f", commit {record.stored.commit}" if record.stored.commit else ""
    return f"in the lake, from {record.stored.raw_file}{commit}"


def _values(traced: TracedVersion, contract: TableContract, *, personal: bool) -> Iterable[str]:
    from autocorp_assets.operations.trace import shown_values

    shown = shown_values(traced.version, contract, personal=personal)
    said = [f"{name} {_cell(shown[name])}" for name in traced.changed]
    said += [f"{name} unchanged (its large value was not sent)" for name in traced.version.unchanged]
    if said:
        yield printable(", ".join(said))


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
