"""The generator counts the dirt that it writes; the job's account and quarantine must come to exactly the same."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from autocorp_assets.contracts import FEEDS, TABLE_BY_FEED
from autocorp_assets.contracts.raw_format import QUARANTINE
from autocorp_assets.local.generator.dirt import DIRT
from autocorp_assets.local.generator.exports import write_customers, write_sales_orders
from autocorp_assets.local.generator.landing import FileManifest
from autocorp_assets.local.transfer import transfer

pytestmark = pytest.mark.spark

DAY = date(2024, 11, 21)
OFTEN = {dirt.kind: 0.02 for dirt in DIRT}
REASON = {
    "negative_subtotal": "subtotal: at least 0",
    "negative_tax": "tax: at least 0",
    "negative_total_amount": "total_amount: at least 0",
    "customer_id_missing": "customer_id: required",
    "order_date_missing": "order_date: required",
    "invoice_number_missing": "invoice_number: required",
    "date_impossible_or_foreign": "order_date: malformed",
    "date_in_the_future": "order_date: not after its delivery",
    "date_before_business_began": "order_date: not before 2021-06-07",
    "order_id_repeated": "order_id: repeated, a later row of the file wins",
    "zero_quantity": "quantity: at least 1",
}
"""The first reason of a row with this dirt; its other amounts may contradict it too."""
REPAIR = {
    "thousands_commas": "thousands commas removed",
    "leading_dollar": "leading $ removed",
    "white_space_round_ids": "white space trimmed",
    "white_space_round_email": "white space trimmed",
    "tax_missing": "tax: derived",
    "subtotal_missing": "subtotal: derived",
}
"""How the name of the repair ends; the columns before it differ from row to row."""


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_customers(folder, DAY, count=300, dirt=OFTEN)
    write_sales_orders(folder, DAY, orders=300, dirt=OFTEN)
    return folder


@pytest.mark.parametrize("feed", FEEDS)
def test_every_kind_of_dirt_comes_to_what_the_generator_says(feed, landing, lake):
    table = TABLE_BY_FEED[feed].name
    told = FileManifest.read(landing, f"{feed}-{DAY:%Y%m%d}.csv")
    assert told.dirt.keys() == {dirt.kind for dirt in DIRT if dirt.table.name == table}
    transfer(feed, landing=landing, lake=lake.root, settled_seconds=0)

    [account] = lake.curate(table).files

    assert {outcome: getattr(account, outcome) for outcome in ("read", "applied", "superseded", "duplicate")} == {
        "read": told.rows,
        "applied": told.applied,
        "superseded": told.superseded,
        "duplicate": told.duplicates,
    }
    assert account.quarantined == sum(told.quarantined.values())
    if told.quarantined:
        kept = lake.spark.read.parquet(str(lake.root / QUARANTINE / table)).filter("position IS NOT NULL").collect()
        expected = {REASON[kind]: count for kind, count in told.quarantined.items()}
        assert Counter(row["reasons"][0] for row in kept) == expected
        assert all(row["row"] for row in kept)
    repairs: Counter[str] = Counter()
    for name, count in account.repairs.items():
        repairs[next(kind for kind in told.repaired if name.endswith(REPAIR[kind]))] += count
    assert repairs == told.repaired
    if missing := told.dirt.get("payment_method_missing"):
        assert list(lake.rows(table, "payment_method").values()).count(None) == missing
