"""`autocorp audit`: what runs have accounted for, by file and by table."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autocorp_assets.cli.arguments import known_table, the_file
from autocorp_assets.cli.tables import print_table
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.lake.accounting import FileAudit, TableAccounting
    from autocorp_assets.lake.audit import Account
    from autocorp_assets.lake.storage import LakeStorage

app = typer.Typer()
NEWEST = 20
EXAMPLES = """
All tables at a glance: autocorp audit

The newest files of one: autocorp audit --table sales_order --limit 50

All about one file: autocorp audit sales_orders-20241121.csv

Rows that any run kept out of it: autocorp audit sales_orders-20241121.csv --json | jq '.accounts[].quarantined'
"""


@app.command("audit", epilog=EXAMPLES)
def audit_command(
    file: Annotated[
        str | None, typer.Argument(help="A raw file: path in the lake, absolute path, or only its name.")
    ] = None,
    *,
    table: Annotated[str | None, typer.Option("--table", "-t", help="The newest files of this table.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Files that --table shows.")] = NEWEST,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON on stdout.")] = False,
) -> None:
    """Where the rows of each raw file went: read = applied + unchanged + superseded + duplicate + quarantined.

    With FILE, every account of it; exit code 1 if it is not known, or in raw with nobody to take it in.

    JSON: with FILE {"table", "file", "is_in_raw", "state", "accounts": [{"run_id", "written_at", "revision",
    "is_committed", "read", "applied", …}]}, with --table {"table", "files": [{"file", "state", "read", …}]},
    else {"tables": [{"table", "files": {state: number}, "read", "applied", …, "not_adding_up"}]}.
    """
    from autocorp_assets.lake.storage import LakeStorage

    lake = LakeStorage(Settings().lake)
    if file is not None:
        _one_file(lake, file, table, as_json=as_json)
    elif table is not None:
        _newest_files(lake, table, limit, as_json=as_json)
    else:
        _all_tables(lake, as_json=as_json)


def _one_file(lake: LakeStorage, text: str, table: str | None, *, as_json: bool) -> None:
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.lake.accounting import FileState, audit_file

    audit = audit_file(lake, the_file(lake, text, [known_table(table)] if table else list(TABLES)))
    if as_json:
        typer.echo(json.dumps(asdict(audit), indent=2, default=str))
    else:
        _show_file(audit)
    if audit.state in (FileState.UNACCOUNTED, FileState.UNKNOWN):
        raise typer.Exit(1)


def _show_file(audit: FileAudit) -> None:
    typer.echo(f"{audit.file}\ntable {audit.table}; {'in raw' if audit.is_in_raw else 'NOT in raw'}; {_state(audit)}")
    for account in audit.accounts:
        commit = f"commit {account.revision}" if account.revision else "a commit"
        became = (
            f"committed with {commit}" if account.is_committed else "NOT committed: its batch died, and is repeated"
        )
        typer.echo(
            f"\n{account.written_at:%Y-%m-%d %H:%M:%S} UTC, run {account.run_id}, batch {account.batch}: {became}"
        )
        typer.echo(f"  {sum_of(account)}")
        if account.repairs:
            typer.echo(f"  repaired: {', '.join(f'{name} ({rows:,})' for name, rows in account.repairs.items())}")
        if account.refused:
            typer.echo(f"  refused as a whole: {account.refused}")


def _state(audit: FileAudit) -> str:
    from autocorp_assets.lake.accounting import FileState

    remedy = f"`autocorp replay {audit.table} --file {audit.file}` has it judged"
    says = {
        FileState.PENDING: "pending: the next run takes it in",
        FileState.WAITING: "nobody has accounted for it yet: its load is not complete, or its delivery not whole",
        FileState.UNACCOUNTED: f"NOBODY HAS ACCOUNTED FOR IT and no run is about to: {remedy}",
        FileState.OUTDATED: "nobody has accounted for it: the table stands on a newer load",
        FileState.GONE: "accounted for, and gone from raw since",
        FileState.UNKNOWN: "nobody has accounted for it",
    }
    return says.get(audit.state, str(audit.state))


def sum_of(account: Account) -> str:
    """The account as an equation."""
    from autocorp_assets.lake.audit import OUTCOMES

    parts = " + ".join(f"{getattr(account, outcome):,} {outcome}" for outcome in OUTCOMES)
    return f"read {account.read:,} {'=' if account.adds_up else 'IS NOT'} {parts}"


def _newest_files(lake: LakeStorage, table: str, limit: int, *, as_json: bool) -> None:
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.lake.accounting import table_accounting
    from autocorp_assets.lake.audit import OUTCOMES

    accounting = table_accounting(lake, TABLES[known_table(table)])
    newest = sorted(accounting.files, key=lambda file: (file.day, file.name), reverse=True)[:limit]
    names = ("read", *OUTCOMES)
    rows: list[dict[str, Any]] = []
    for file in newest:
        account = accounting.standing.get(file.path)
        counts = {name: getattr(account, name) if account else None for name in names}
        refused = account.refused if account else None
        rows.append({"file": file.path, "state": str(accounting.states[file.path]), **counts, "refused": refused})
    if as_json:
        typer.echo(json.dumps({"table": table, "files": rows}, indent=2))
        return
    shown = [[row["file"].split("/", 3)[-1], row["state"], *(row[name] for name in names)] for row in rows]
    print_table(["file", "state", *names], shown)


def _all_tables(lake: LakeStorage, *, as_json: bool) -> None:
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.lake.accounting import FileState, table_accounting
    from autocorp_assets.lake.audit import OUTCOMES

    rows = [summary(table_accounting(lake, contract)) for contract in TABLES.values()]
    if as_json:
        typer.echo(json.dumps({"tables": rows}, indent=2))
        return
    names = ("read", *OUTCOMES)
    states = (FileState.ACCOUNTED, FileState.PENDING, FileState.UNACCOUNTED)
    shown = [[r["table"], *(r["files"].get(str(s), 0) for s in states), *(r[name] for name in names)] for r in rows]
    print_table(["table", "files", "pending", "unaccounted", *names], shown)


def summary(accounting: TableAccounting) -> dict[str, Any]:
    """A table's files by state and the rows of their standing accounts by outcome."""
    from autocorp_assets.lake.accounting import FileState
    from autocorp_assets.lake.audit import OUTCOMES

    files = {str(state): len(accounting.in_state(state)) for state in FileState}
    standing = accounting.standing.values()
    return {
        "table": accounting.contract.name,
        "files": {state: number for state, number in files.items() if number},
        **{name: sum(getattr(account, name) for account in standing) for name in ("read", *OUTCOMES)},
        "not_adding_up": [account.file for account in accounting.not_adding_up],
    }
