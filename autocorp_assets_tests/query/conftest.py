"""A small lake of all seven tables, written by Spark once for the session."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import RECORD_KEY, SOURCE_SYSTEM
from autocorp_assets.lake.snapshots import commits
from autocorp_assets_tests.lake.lake_writer import NAME, LakeWriter

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ADA = {"customer_id": 1, "first_name": "Ada", "last_name": "Byron", "email": "ada@example.org", "state": "TX"}
BOB = {"customer_id": 2, "first_name": "Bob", "last_name": "Ross", "email": "Bob@Example.org ", "state": "FL"}


class SmallLake(NamedTuple):
    root: Path
    before_changes: datetime
    """After the first commit of every table, before the second of customers and auto_parts."""


@pytest.fixture(scope="session")
def small_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    writer = LakeWriter(spark, tmp_path_factory.mktemp("lakes") / NAME)
    _catalogue(writer)
    _people(writer)
    _orders(writer)
    first = max(commits(writer.root, TABLES[name], 1)[0].committed_at for name in ("auto_parts", "customers"))
    writer.commit("customers", {**ADA, "city": "Austin"}, deleted=(BOB,))
    writer.commit("auto_parts", {"sku": "PAD", "name": "Brake pad", "price": Decimal("45.00")})
    return SmallLake(writer.root, first + timedelta(milliseconds=1))


def _catalogue(writer: LakeWriter) -> None:
    writer.commit(
        "auto_parts",
        {"sku": "PAD", "name": "Brake pad", "price": Decimal("40.00"), "inventory_date": date(2024, 1, 1)},
        {"sku": "OIL", "name": "Oil", "price": Decimal("8.50")},
    )
    writer.commit(
        "service",
        {"serviceid": "BR", "service": "Front brake pads", "labor_minutes": 60, "labor_cost": Decimal("90.00")},
        {"serviceid": "CK", "service": "Check", "labor_minutes": 10, "labor_cost": Decimal("20.00")},
    )
    writer.commit(
        "service_parts",
        {"service_part_id": 1, "serviceid": "BR", "sku": "PAD", "quantity": 2},
        {"service_part_id": 2, "serviceid": "BR", "sku": "GONE", "quantity": 1},
    )


def _people(writer: LakeWriter) -> None:
    exported = {SOURCE_SYSTEM: "csv", "state": "TX"}
    writer.commit(
        "customers",
        ADA,
        BOB,
        {**exported, RECORD_KEY: "csv:ada", "first_name": "A.", "last_name": "Byron", "email": " ADA@example.org"},
        {**exported, RECORD_KEY: "csv:bob", "first_name": "B.", "last_name": "Ross", "email": "bob@example.org"},
        {**exported, RECORD_KEY: "csv:eve", "first_name": "Eve", "last_name": "Low", "email": "eve@example.org"},
    )


def _orders(writer: LakeWriter) -> None:
    lately = datetime.now(UTC) - timedelta(days=2)
    order = {
        "order_id": 1,
        "customer_id": 1,
        "order_date": lately,
        "invoice_number": "INV-2024-000001",
        "subtotal": Decimal("183.50"),
        "tax": Decimal("14.68"),
        "total_amount": Decimal("198.18"),
        "order_type": "Mixed",
    }
    # The same number and the same customer number: another order, of someone else.
    exported = {**order, SOURCE_SYSTEM: "csv", RECORD_KEY: "csv:1", "invoice_number": "EXP-2024-000001"}
    writer.commit("sales_order", order, exported, {**exported, RECORD_KEY: "csv:2", "order_id": 2})
    line = {"order_id": 1, "quantity": 2}
    writer.commit(
        "sales_order_parts",
        {**line, "line_item_id": 1, "sku": "PAD", "unit_price": Decimal("40.00"), "line_total": Decimal("80.00")},
        {**line, "line_item_id": 2, "sku": "OIL", "unit_price": Decimal("6.75"), "line_total": Decimal("13.50")},
        {**line, SOURCE_SYSTEM: "csv", RECORD_KEY: "csv:1:1", "sku": "PAD", "line_total": Decimal("70.00")},
    )
    job = {"order_id": 1, "serviceid": "BR", "quantity": 1, "labor_minutes": 60, "technician_id": "T1"}
    cost = {"labor_cost": Decimal("90.00"), "parts_cost": Decimal("0.00"), "line_total": Decimal("90.00")}
    writer.commit("sales_order_services", {**job, **cost, "line_item_id": 1})
