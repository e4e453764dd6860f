"""`autocorp simulate` and `autocorp exports`: live traffic on the source, and CSV exports in the landing folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from autocorp_assets.cli.local_only import local_settings

if TYPE_CHECKING:
    from rich.table import Table

    from autocorp_assets.local.generator.landing import FileManifest

app = typer.Typer()
SIMULATE_EXAMPLES = """
A hundred orders: autocorp simulate --orders 100

An hour of one a second: autocorp simulate --orders 3600 --rate 1
"""
EXPORTS_EXAMPLES = """
Small files, dated today: autocorp exports

As large as the real ones: autocorp exports --customers 1200000 --orders 790000

Only orders: autocorp exports --customers 0 --orders 500 --clean --day 20250131
"""


@app.command(epilog=SIMULATE_EXAMPLES)
def simulate(
    *,
    orders: Annotated[int, typer.Option(min=1, help="New orders; other changes come with them.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other choices.")] = 1,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Orders a second at most.", show_default="none")] = None,
) -> None:
    """Let business happen on the source: inserts, updates and deletes on every table."""
    from rich.console import Console
    from rich.progress import Progress

    from autocorp_assets.local.generator.traffic import simulate as run
    from autocorp_assets.local.source.connection import open_source

    settings = local_settings("simulate", instead="There the business itself writes to the source.")
    errors = Console(stderr=True)
    with open_source(settings) as source, Progress(console=errors, transient=True) as bar:
        task = bar.add_task("transactions", total=None)
        counts = run(
            source.dsn,
            orders=orders,
            seed=seed,
            rate=rate,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    Console().print(_changes(counts))


@app.command(epilog=EXPORTS_EXAMPLES)
def exports(
    *,
    customers: Annotated[int, typer.Option(min=0, help="People in the customers file; 0 for no file.")] = 10_000,
    orders: Annotated[int, typer.Option(min=0, help="Orders, with two files of their lines; 0 for none.")] = 10_000,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y%m%d"], help="Date of the files.", show_default="today")
    ] = None,
    dirty: Annotated[bool, typer.Option("--dirty/--clean", help="With the usual dirt, or without.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="The source's seed, to export the people it knows.")] = 1,
) -> None:
    """Write CSV exports into the landing folder, and next to them in _manifest what is in them."""
    if not (customers or orders):
        raise typer.BadParameter("nothing to write: give --customers or --orders")
    from rich.console import Console

    from autocorp_assets.local.generator.dirt import USUAL_RATES
    from autocorp_assets.local.generator.exports import write_customers, write_sales_orders
    from autocorp_assets.local.generator.landing import FileManifest

    instead = "There exports arrive where the source of the DataSync tasks is: put files there."
    landing = local_settings("exports", instead=instead).landing_folder
    date, dirt = (day or datetime.now(UTC)).date(), USUAL_RATES if dirty else None
    written: list[FileManifest] = []
    if customers:
        path = write_customers(landing, date, count=customers, seed=seed, dirt=dirt)
        written.append(FileManifest.read(landing, path.name))
    if orders:
        written += write_sales_orders(landing, date, orders=orders, seed=seed, dirt=dirt).files
    console = Console()
    console.print(_files(written))
    console.print(f"dated {date:%Y%m%d}, in {landing}", soft_wrap=True, highlight=False)


def _changes(counts: Mapping[str, Mapping[str, int]]) -> Table:
    return _table(("table", *next(iter(counts.values()))), ((name, row.values()) for name, row in counts.items()))


def _files(manifests: Iterable[FileManifest]) -> Table:
    return _table(
        ("file", "rows", "applied", "repaired", "quarantined", "repeated"),
        (
            (
                file.feed,
                (
                    file.rows,
                    file.applied,
                    sum(file.repaired.values()),
                    sum(file.quarantined.values()),
                    file.duplicates + file.superseded,
                ),
            )
            for file in manifests
        ),
    )


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, Iterable[int]]]) -> Table:
    from rich.table import Table

    table = Table(box=None)
    table.add_column(header[0])
    for name in header[1:]:
        table.add_column(name, justify="right")
    for name, numbers in rows:
        table.add_row(name, *(f"{number:,}" for number in numbers))
    return table
