"""What the lake says became of a delivery is held against who wrote it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.reconciliation.deliveries import (
    Expected,
    account_differences,
    compares_by_value,
    stored_rows,
    value_differences,
)
from autocorp_assets.reconciliation.exports import compare_exports
from autocorp_assets_tests.spark_jobs.lake import Lake

pytestmark = pytest.mark.spark

HEADER = ",".join(FEEDS["customers"].columns)
ROWS = """Zoë,"O'Brien, Jr",\t a@example.com ,,"1 Main
Street",X,IL,00123
Old,Brien,b@example.com,1,2 Main,X,IL,1
New,Brien,B@example.com,1,2 Main,X,IL,1
"""
EXPECTED = Expected(file="customers-20241121.csv", rows=3, applied=2, superseded=1, duplicate=0, quarantined=0)


@pytest.fixture
def lake(tmp_path, spark):
    return Lake(tmp_path, spark)


@pytest.fixture
def delivered(lake):
    path = lake.raw.csv("customers", "20241121", f"{HEADER}\n{ROWS}")
    lake.curate("customers")
    return path


def test_a_delivery_that_arrived_whole_shows_no_difference(lake, delivered):
    assert account_differences("customers", [EXPECTED], lake.root) == []
    assert stored_rows("customers", lake.root) == 2
    assert value_differences("customers", delivered, lake.root) == 0


def test_counts_and_values_that_disagree_are_told(lake, delivered):
    wrong = replace(EXPECTED, quarantined=1)
    unknown = replace(EXPECTED, file="customers-20241122.csv")
    delivered.write_text(delivered.read_text().replace("New", "Newer"))

    assert account_differences("customers", [wrong, unknown], lake.root) == [
        "customers-20241121.csv: quarantined 0 instead of 1",
        "customers-20241122.csv: no run has accounted for it",
    ]
    assert value_differences("customers", delivered, lake.root) == 2


def test_the_records_that_files_name_are_those_that_the_job_stored(lake):
    header = ",".join(FEEDS["sales_order_parts"].columns)
    lake.raw.csv(
        "sales_order_parts",
        "20241121",
        f"""{header}
7,A,first,1,1.00,1.00
7,B,second,1,1.00,1.00
8,"A
B",third,1,1.00,1.00
9,A,fourth,1,1.00,1.00
""",
    )
    lake.curate("sales_order_parts")
    # Of order 7 one line is kept out, of order 9 all are, and one row has no cells.
    lake.raw.csv(
        "sales_order_parts",
        "20241122",
        f"""{header}
 7 ,C,x,0,1.00,1.00
"1,007",C,x,1,"1,000.00",$1.00
7,D,x,1,1.00,1.00

9,D,x,0,1.00,1.00
9
""",
    )
    lake.curate("sales_order_parts")

    found = compare_exports(LakeStorage(lake.root), TABLES["sales_order_parts"], on_progress=lambda _: None)

    assert set(lake.rows("sales_order_parts", "sku")) == {"csv:7:2", "csv:8:1", "csv:9:1", "csv:1007:1"}
    assert found.sample == []
    assert (found.rows_read, found.rows_quarantined, found.keys, found.lake_rows) == (9, 3, 4, 4)


def test_only_text_with_one_row_a_key_is_compared_by_value():
    assert [feed for feed in FEEDS if compares_by_value(feed)] == ["customers"]
