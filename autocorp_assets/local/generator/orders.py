"""Orders and their lines: amounts in cents, so that lines sum exactly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from autocorp_assets.contracts.model import SourceSystem
from autocorp_assets.contracts.sales_order import BUSINESS_BEGAN, ORDER_TYPES, PAYMENT_METHODS
from autocorp_assets.local.generator.catalogue import Catalogue
from autocorp_assets.local.generator.draws import Floats, Integers, below, weighted

FIRST_DAY = date.fromisoformat(BUSINESS_BEGAN)
LAST_DAY = date(2024, 12, 31)
PAYMENT_WEIGHTS = (50, 20, 20, 10)
STATUSES = ("Completed", "Pending", "In Progress", "Cancelled", "Refunded")
STATUS_WEIGHTS = (88, 4, 4, 3, 1)
SERVICE_STATUSES = ("Completed", "In Progress", "Waiting for Parts")
SERVICE_STATUS_WEIGHTS = (90, 6, 4)
TECHNICIANS = 40
PARTS, SERVICE, MIXED = range(len(ORDER_TYPES))
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class OrderPlan:
    """What is settled about orders before their lines are filled in; one entry an order."""

    system: SourceSystem
    """Keeps the orders of the two systems apart: the same number is another order."""
    order_id: Integers
    customer_id: Integers
    order_type: Integers
    """Index into ORDER_TYPES."""
    order_date: pl.Series
    part_lines: Integers
    service_lines: Integers


@dataclass(frozen=True)
class OrderBook:
    """Orders with their lines, by the database's column names, amounts in cents, in the order of the plan."""

    orders: pl.DataFrame
    parts: pl.DataFrame
    services: pl.DataFrame


def moments(chance: Floats, last_day: date) -> pl.Series:
    """Times, to the second, between the first day of business and the end of `last_day` (or of LAST_DAY)."""
    days = (min(last_day, LAST_DAY) - FIRST_DAY).days + 1
    if days < 1:
        raise ValueError(f"no order can be dated {last_day}: the business began on {FIRST_DAY}")
    epoch = (FIRST_DAY - date(1970, 1, 1)).days * SECONDS_A_DAY
    seconds = epoch + (chance * days * SECONDS_A_DAY).astype(np.int64)
    return pl.from_epoch(pl.Series("order_date", seconds), time_unit="s").cast(pl.Datetime("us"))


def fill_in(plan: OrderPlan, stock: Catalogue, *, seed: int) -> OrderBook:
    """Give each order of the plan its lines, amounts, payment and status."""
    parts = _part_lines(plan, stock.parts, seed=seed)
    services = _service_lines(plan, stock.services, seed=seed)
    subtotal = _sums(plan.part_lines, parts["line_total"]) + _sums(plan.service_lines, services["line_total"])
    # 8%, rounded half up to the cent.
    tax = (subtotal * 8 + 50) // 100
    count = len(plan.order_id)
    payment = weighted(PAYMENT_WEIGHTS, seed, f"{plan.system} payment", count)
    status = weighted(STATUS_WEIGHTS, seed, f"{plan.system} status", count)
    orders = pl.DataFrame(
        {
            "order_id": plan.order_id,
            "customer_id": plan.customer_id,
            "order_date": plan.order_date,
            "payment_method": pl.Series(PAYMENT_METHODS)[payment],
            "subtotal": subtotal,
            "tax": tax,
            "total_amount": subtotal + tax,
            "order_type": pl.Series(ORDER_TYPES)[plan.order_type],
            "status": pl.Series(STATUSES)[status],
        }
    )
    return OrderBook(orders=orders, parts=parts, services=services)


def _part_lines(plan: OrderPlan, stock: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    count = int(plan.part_lines.sum())
    part = below(stock.height, seed, f"{plan.system} part", count)
    quantity = 1 + weighted((60, 25, 10, 5), seed, f"{plan.system} part quantity", count)
    price = stock["price"].fill_null(1_999).to_numpy()[part]
    return pl.DataFrame(
        {
            "order_id": np.repeat(plan.order_id, plan.part_lines),
            "part_id": part + 1,
            "sku": stock["sku"][part],
            "part_description": stock["name"][part],
            "quantity": quantity,
            "unit_price": price,
            "line_total": price * quantity,
        }
    )


def _service_lines(plan: OrderPlan, stock: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    count = int(plan.service_lines.sum())
    service = below(stock.height, seed, f"{plan.system} service", count)
    quantity = 1 + weighted((92, 8), seed, f"{plan.system} service quantity", count)
    labor_cost = stock["labor_cost"].fill_null(9_900).to_numpy()[service]
    parts_cost = below(30_000, seed, f"{plan.system} parts cost", count)
    return pl.DataFrame(
        {
            "order_id": np.repeat(plan.order_id, plan.service_lines),
            "serviceid": stock["serviceid"][service],
            "service_description": stock["service"][service],
            "quantity": quantity,
            "labor_minutes": stock["labor_minutes"].to_numpy()[service] * quantity,
            "labor_cost": labor_cost,
            "parts_cost": parts_cost,
            "line_total": labor_cost * quantity + parts_cost,
            "vehicle": below(10**6, seed, f"{plan.system} vehicle", count),
            "technician": below(TECHNICIANS, seed, f"{plan.system} technician", count) + 1,
            "service_status": pl.Series(SERVICE_STATUSES)[
                weighted(SERVICE_STATUS_WEIGHTS, seed, f"{plan.system} service status", count)
            ],
        }
    ).with_columns(
        pl.format("VEH-{}", pl.col("vehicle").cast(pl.String).str.zfill(6)).alias("vehicle_id"),
        pl.format("TECH-{}", pl.col("technician").cast(pl.String).str.zfill(3)).alias("technician_id"),
    )


def _sums(sizes: Integers, values: pl.Series) -> Integers:
    """Sum of each run of `sizes` values; zero for an empty run."""
    ends = np.cumsum(sizes)
    running = np.concatenate([[0], np.cumsum(values.to_numpy())])
    return running[ends] - running[ends - sizes]


def dollars(column: str) -> pl.Expr:
    """An amount in cents, not negative, as text such as `1234.56`."""
    cents = pl.col(column)
    return pl.format("{}.{}", cents // 100, (cents % 100).cast(pl.String).str.zfill(2)).alias(column)


AMOUNTS = frozenset(
    {"price", "subtotal", "tax", "total_amount", "unit_price", "line_total", "labor_cost", "parts_cost"}
)


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame as it is written to a CSV file: amounts in dollars, times to the second, all of it text."""
    return frame.with_columns(
        *(dollars(name) for name in frame.columns if name in AMOUNTS),
        *(
            pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S")
            for name, kind in frame.schema.items()
            if isinstance(kind, pl.Datetime)
        ),
    ).cast(pl.String)
