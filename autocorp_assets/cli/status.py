"""`autocorp status`: how every table stands, whether or not anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from autocorp_assets.contracts.model import TableContract
    from autocorp_assets.lake.storage import LakeStorage
    from autocorp_assets.resources.ports.replication import ReplicationState
    from autocorp_assets.resources.ports.source import RetainedLog

app = typer.Typer()
EXAMPLES = """
At a glance: autocorp status

What lags, with jq: autocorp status --json | jq '.tables[] | select(.lag_seconds > 600) | .table'
"""


@dataclass(frozen=True, kw_only=True)
class LastChecks:
    """Newest results of a table's checks, of those of each run and of those on a schedule, and of its table in raw."""

    passed: int = 0
    failed: int = 0
    failing: tuple[str, ...] = ()
    """`check: reason`; `raw check: reason` for one of the table in raw."""


@dataclass(frozen=True, kw_only=True)
class TableStatus:
    """How one curated table stands. Times are UTC, ISO 8601."""

    table: str
    rows: int | None
    """None as long as the table does not exist."""
    commit: str | None
    committed_at: str | None
    watermark: str | None
    """Newest change file that the table has taken in."""
    pending_files: int | None
    """None where it cannot be told, for the reason that `problem` says."""
    lag_seconds: float | None
    """Age of the oldest raw file that the table has yet to take in; 0 without one, None where it cannot be told."""
    rows_quarantined: int
    checks: LastChecks
    problem: str | None = None
    """What keeps the table from being brought up to date, of what its raw files say."""


def table_statuses(settings: Settings) -> list[TableStatus]:
    """All tables; costs listings and the footers of Parquet files; rows are read of quarantine only."""
    from autocorp_assets.contracts import TABLES
    from autocorp_assets.lake.storage import LakeStorage

    lake = LakeStorage(settings.lake)
    problems: dict[str, str] = {}
    plans = lake.pending_plans(TABLES, on_unreadable=problems.__setitem__)
    checks = _last_checks(settings, TABLES.values())
    return [
        _table_status(
            lake,
            contract,
            pending=[file.path for file in plans[name].files] if name in plans else None,
            checks=checks[name],
            problem=problems.get(name),
        )
        for name, contract in TABLES.items()
    ]


def _table_status(
    lake: LakeStorage,
    contract: TableContract,
    *,
    pending: Sequence[str] | None,
    checks: LastChecks,
    problem: str | None,
) -> TableStatus:
    from autocorp_assets.lake.quarantine import Quarantine
    from autocorp_assets.lake.row_count import row_count
    from autocorp_assets.lake.snapshots import read_snapshot

    snapshot = read_snapshot(lake.root, contract)
    oldest = lake.oldest(pending or ())
    lag = 0.0 if oldest is None else round(max(0.0, (datetime.now(UTC) - oldest).total_seconds()), 1)
    return TableStatus(
        table=contract.name,
        rows=None if snapshot is None else row_count(snapshot.files),
        commit=snapshot.commit if snapshot else None,
        committed_at=snapshot.committed_at.isoformat() if snapshot else None,
        watermark=(snapshot.checkpoint.high_water or None) if snapshot and snapshot.checkpoint else None,
        pending_files=None if pending is None else len(pending),
        lag_seconds=None if pending is None else lag,
        rows_quarantined=Quarantine(lake, contract).count(),
        checks=checks,
        problem=problem,
    )


def _last_checks(settings: Settings, contracts: Iterable[TableContract]) -> dict[str, LastChecks]:
    """From the event log; without an instance there are none, and none is made."""
    if settings.shared_dagster_home is None and not settings.dagster_folder.is_dir():
        return {contract.name: LastChecks() for contract in contracts}
    from autocorp_assets.checks.names import check_keys
    from autocorp_assets.operations.instance import open_instance

    with open_instance(settings) as instance:
        return {contract.name: _summary(instance, check_keys(contract)) for contract in contracts}


def _summary(instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]) -> LastChecks:
    from autocorp_assets.checks.results import last_evaluations

    evaluations = [last.evaluation for last in last_evaluations(instance, keys).values()]
    failing = [evaluation for evaluation in evaluations if not evaluation.passed]
    return LastChecks(
        passed=len(evaluations) - len(failing),
        failed=len(failing),
        failing=tuple(_told(evaluation) for evaluation in failing),
    )


def _told(evaluation: dg.AssetCheckEvaluation) -> str:
    zone = "raw " if evaluation.asset_key.path[0] == "raw" else ""
    return f"{zone}{evaluation.check_name}: {evaluation.description or 'failed'}"


@app.command("status", epilog=EXAMPLES)
def status_command(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the status as JSON on stdout.")] = False
) -> None:
    """Rows, last commit, lag, checks and quarantine of each table, and whether replication runs.

    JSON: {"replication": {"running", "should_run", "summary", "silent_seconds", "retained_bytes" (log that the source
    keeps for replication, null when the source is not up), "retained_limit_bytes", "warning"}, "tables": [{"table",
    "rows", "commit", "committed_at", "watermark", "pending_files", "lag_seconds", "rows_quarantined",
    "checks": {"passed", "failed", "failing"}, "problem" (null, or why pending files and lag cannot be told)}]}
    """
    from autocorp_assets.deployments import source_ports

    settings = Settings()
    _, port = source_ports(settings)
    replication, retained = port.state(), port.retained_log()
    tables = table_statuses(settings)
    if as_json:
        value: dict[str, Any] = {
            "replication": {**asdict(replication), **_retained(retained)},
            "tables": [asdict(table) for table in tables],
        }
        typer.echo(json.dumps(value, indent=2))
    else:
        _show(replication, retained, tables)


def _retained(log: RetainedLog | None) -> dict[str, Any]:
    return {
        "retained_bytes": log.bytes if log else None,
        "retained_limit_bytes": log.limit_bytes if log else None,
        "warning": log.warning if log else None,
    }


def _show(replication: ReplicationState, retained: RetainedLog | None, tables: Sequence[TableStatus]) -> None:
    from rich.console import Console
    from rich.table import Table

    # Narrow enough for a terminal of 80 columns.
    shown = Table("table", "rows", "commit (UTC)", "pending", "lag", "quarantined", "checks", box=None, padding=(0, 1))
    shown.columns[0].no_wrap = True
    for index in (1, 3, 4, 5):
        shown.columns[index].justify = "right"
    for table in tables:
        shown.add_row(
            table.table,
            "—" if table.rows is None else f"{table.rows:,}",
            (table.committed_at or "—")[5:16].replace("T", " ") or "—",
            "?" if table.pending_files is None else f"{table.pending_files:,}",
            "?" if table.lag_seconds is None else f"{table.lag_seconds:.0f} s",
            f"{table.rows_quarantined:,}",
            f"{table.checks.passed} passed" + (f", {table.checks.failed} failed" if table.checks.failed else ""),
        )
    console = Console()
    console.print(shown)
    for table in tables:
        if table.problem:
            console.print(f"{table.table}: {table.problem}", style="red", markup=False)
        for reason in table.checks.failing:
            console.print(f"{table.table}: {reason}", style="yellow", markup=False)
    kept = "" if retained is None else f"; the source keeps {retained.bytes / 1024**2:,.1f} MiB of log for it"
    console.print(f"replication: {replication.summary}{kept}", markup=False)
    if retained is not None and retained.warning:
        console.print(f"warning: {retained.warning}", style="yellow", markup=False)
