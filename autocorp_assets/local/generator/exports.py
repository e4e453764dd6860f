"""The CSV exports, as they arrive in the landing folder, each with the truth about it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from autocorp_assets.contracts import CUSTOMERS, SALES_ORDER, SALES_ORDER_PARTS, SALES_ORDER_SERVICES, TableContract
from autocorp_assets.contracts.model import SourceSystem
from autocorp_assets.local.generator.catalogue import catalogue
from autocorp_assets.local.generator.dirt import USUAL_RATES, DirtRates, soil
from autocorp_assets.local.generator.draws import Integers, below, generator, uniform, weighted
from autocorp_assets.local.generator.landing import ExportManifest, FileManifest, land
from autocorp_assets.local.generator.orders import PARTS, SERVICE, OrderPlan, as_text, fill_in, moments
from autocorp_assets.local.generator.people import people

TYPE_WEIGHTS = (82, 9, 9)
"""Parts, Service, Mixed: other than in the database."""
LINE_WEIGHTS = (48, 26, 14, 7, 4)
"""How many orders have one line, two lines, …"""
BIG_ORDER_SHARE = 0.0004
BIG_ORDER_LINES = 51
MOVED_SHARE = 0.002
"""People who have another address in the file of another day."""


def write_customers(
    folder: Path, day: date, *, count: int = 1_200_000, seed: int = 1, dirt: DirtRates | None = USUAL_RATES
) -> Path:
    """Write `customers-YYYYMMDD.csv` and its manifest.

    Args:
        folder: the landing folder; made when it is missing.
        day: date of the export; a few people have moved from one day's file to another's.
        count: distinct people, the database's customers of the same seed first.
        seed: of the people.
        dirt: how often rows are repeated or an e-mail is written in another way; None for never.

    Returns:
        The file; `FileManifest.read(folder, path.name)` tells what is in it.
    """
    known = people(count, seed=seed)
    moved = pl.Series(generator(seed, "moved", day.isoformat()).random(count) < MOVED_SHARE)
    clean = known.with_columns(
        pl.when(moved)
        .then(pl.format("{} Elm Court", pl.int_range(100, count + 100)))
        .otherwise("address")
        .alias("address")
    )
    manifest = _deliver(folder, CUSTOMERS, clean, day=day, seed=seed, dirt=dirt)
    return folder / manifest.file


def write_sales_orders(
    folder: Path, day: date, *, orders: int, seed: int = 1, first_order: int = 1, dirt: DirtRates | None = USUAL_RATES
) -> ExportManifest:
    """Write `sales_orders-YYYYMMDD.csv` and the two companion files of its lines.

    A later or larger export of the same seed repeats the orders of an earlier one, as a full export does.

    Args:
        folder: the landing folder; made when it is missing.
        day: date of the export; no clean order is later.
        orders: distinct orders.
        seed: of the orders.
        first_order: lowest order_id, for an export of new orders only.
        dirt: how often each kind occurs; None for clean files.

    Raises:
        ValueError: the day is before the business began, or an unknown kind of dirt.
    """
    # Lines are drawn one after the other, so the orders before the first are made too, and left out.
    book = fill_in(_plan(first_order - 1 + orders, day, seed), catalogue(seed), seed=seed)
    exported = pl.col("order_id") >= first_order
    number = pl.col("order_id").cast(pl.String).str.zfill(6)
    headers = book.orders.with_columns(
        pl.format("INV-{}-{}", pl.col("order_date").dt.year(), number).alias("invoice_number")
    )
    frames = ((SALES_ORDER_PARTS, book.parts), (SALES_ORDER_SERVICES, book.services), (SALES_ORDER, headers))
    return ExportManifest(
        tuple(_deliver(folder, table, frame.filter(exported), day=day, seed=seed, dirt=dirt) for table, frame in frames)
    )


def _plan(count: int, day: date, seed: int) -> OrderPlan:
    kinds = weighted(TYPE_WEIGHTS, seed, "type", count)
    return OrderPlan(
        system=SourceSystem.CSV,
        order_id=np.arange(1, count + 1),
        customer_id=below(1_200_000, seed, "exported customer", count) + 1,
        order_type=kinds,
        order_date=moments(uniform(seed, "date", count), day),
        part_lines=np.where(kinds == SERVICE, 0, _part_counts(count, seed)),
        service_lines=np.where(kinds == PARTS, 0, 1 + weighted((80, 15, 5), seed, "service lines", count)),
    )


def _part_counts(count: int, seed: int) -> Integers:
    usual = 1 + weighted(LINE_WEIGHTS, seed, "part lines", count)
    chance = uniform(seed, "big order", count)
    return np.where(chance < BIG_ORDER_SHARE, BIG_ORDER_LINES + usual, usual)


def _deliver(
    folder: Path, table: TableContract, frame: pl.DataFrame, *, day: date, seed: int, dirt: DirtRates | None
) -> FileManifest:
    feed = table.csv_feed
    if feed is None:
        raise ValueError(f"{table.name} has no CSV export")
    text = as_text(frame.select(pl.col(column).alias(name) for name, column in feed.table_column.items()))
    rows, manifest = soil(text, table, day=day, seed=seed, rates=dirt)
    land(rows, folder, manifest)
    return manifest
