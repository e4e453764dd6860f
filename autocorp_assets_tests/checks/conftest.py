from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg
import polars as pl
import pytest

from autocorp_assets.checks.schemas import polars_type
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.storage import LakeStorage

DAY = datetime(2024, 3, 5, tzinfo=UTC)
LINEAGE = {"change_seq": "1", "changed_at": DAY, "raw_file": "raw/database/t/LOAD00000001.parquet"}
ORDER = {
    **LINEAGE,
    "order_id": 1,
    "customer_id": 7,
    "order_date": DAY,
    "invoice_number": "INV-2024-1",
    "payment_method": "Cash",
    "subtotal": Decimal("10.00"),
    "tax": Decimal("0.80"),
    "total_amount": Decimal("10.80"),
    "order_type": "Parts",
    "notes": "call 555-0100",
    "record_key": "db:1",
    "source_system": "db",
    "partition_month": "2024-03",
}
CUSTOMER = {
    **LINEAGE,
    "customer_id": 1,
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "record_key": "db:1",
    "source_system": "db",
}


def frame(contract: TableContract, *rows: dict) -> pl.DataFrame:
    """Rows of a lake table; what a row does not say is null."""
    schema = {column.name: polars_type(column) for column in contract.lake_columns}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, strict=False)


@pytest.fixture
def orders() -> Callable[..., pl.DataFrame]:
    """Rows of sales_order, each an ordinary order but for what it is given."""
    return lambda *changes: frame(TABLES["sales_order"], *({**ORDER, **change} for change in changes))


@pytest.fixture
def customers() -> Callable[..., pl.DataFrame]:
    return lambda *changes: frame(TABLES["customers"], *({**CUSTOMER, **change} for change in changes))


def shown_rows(value: dg.MetadataValue) -> list[dict[str, object]]:
    """The rows of a table in a result's metadata."""
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def run_alone(
    checks: list[dg.AssetChecksDefinition], lake: LakeStorage, config: dict | None = None
) -> dict[str, dg.AssetCheckEvaluation]:
    """What the checks come to in a run of their own, as a schedule makes it, by check name."""
    keys = [key for check in checks for key in check.check_keys]
    assets = [dg.AssetSpec(key) for key in {key.asset_key for key in keys}]
    job = dg.define_asset_job("alone", selection=dg.AssetSelection.checks(*keys))
    defs = dg.Definitions(assets=assets, asset_checks=checks, jobs=[job], resources={"lake": lake})
    run = defs.resolve_job_def("alone").execute_in_process(run_config=config)
    return {evaluation.check_name: evaluation for evaluation in run.get_asset_check_evaluations()}
