import re

import pytest

from autocorp_assets.lake.selection import Selection, SelectionError, select
from autocorp_assets.lake.table_files import TableFile
from spark_jobs.plan import FileKind

ORDERS = "raw/database/sales_order"
EXPORTS = "raw/csv/sales_orders/sales_orders"
RAW = {
    "sales_order": (
        TableFile(path=f"{ORDERS}/LOAD00000001.parquet", kind=FileKind.LOAD, day="20241101", generation=1),
        TableFile(path=f"{ORDERS}/LOAD00000002.parquet", kind=FileKind.LOAD, day="20241119", generation=2),
        TableFile(path=f"{ORDERS}/d/20241118-1.parquet", kind=FileKind.CHANGE, day="20241118"),
        TableFile(path=f"{ORDERS}/d/20241120-1.parquet", kind=FileKind.CHANGE, day="20241120"),
        TableFile(path=f"{EXPORTS}-20241119.csv", kind=FileKind.CSV, day="20241119"),
        TableFile(path=f"{EXPORTS}-20241121.csv", kind=FileKind.CSV, day="20241121"),
    )
}
CURRENT = {file.path.removeprefix("raw/") for file in RAW["sales_order"][1:]}


def selected(root: str = "/lake", **conditions) -> set[str]:
    selection = Selection.of_text(**conditions)
    assert selection.table_names() == ("sales_order",)
    found = select(selection, RAW, root=root)
    return {path.removeprefix("raw/") for path in found["sales_order"]}


def test_a_table_is_all_of_its_files_but_for_loads_that_count_no_more():
    assert selected(tables=["sales_order"]) == CURRENT
    assert selected(files=["raw/database/sales_order/LOAD00000001.parquet"]) == {
        "database/sales_order/LOAD00000001.parquet"
    }


def test_conditions_narrow_each_other():
    days = {"since": "2024-11-19", "until": "2024-11-20"}
    assert selected(tables=["sales_order"], feed="database", **days) == {
        "database/sales_order/LOAD00000002.parquet",
        "database/sales_order/d/20241120-1.parquet",
    }
    assert selected(feed="sales_orders", **days) == {"csv/sales_orders/sales_orders-20241119.csv"}
    assert selected(tables=["sales_order"], since="2024-11-21") == {"csv/sales_orders/sales_orders-20241121.csv"}


@pytest.mark.parametrize(
    "text",
    ["sales_orders-20241121.csv", f"{EXPORTS}-20241121.csv", f"/lake/{EXPORTS}-20241121.csv"],
)
def test_a_file_may_be_called_by_name_or_path(text):
    assert selected(tables=["sales_order"], files=[text]) == {"csv/sales_orders/sales_orders-20241121.csv"}


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ({}, "say which tables: some of auto_parts, "),
        ({"tables": ["orders"]}, "no table orders; there are auto_parts, "),
        ({"tables": ["sales_order"], "feed": "orders"}, "no feed orders; there are database, "),
        ({"tables": ["service"], "feed": "sales_orders"}, "feed sales_orders belongs to table sales_order, not to"),
        ({"feed": "database"}, "say which tables"),
        ({"tables": ["sales_order"], "since": "18.11.2024"}, "since: 18.11.2024 is no day; write it as 2024-11-21"),
        (
            {"tables": ["sales_order"], "since": "2024-12-01"},
            "no raw file is selected; there are sales_order: 4 of database from 2024-11-01 to 2024-11-20, "
            "2 of sales_orders from 2024-11-19 to 2024-11-21",
        ),
        ({"tables": ["sales_order"], "files": ["sales_orders-20240101.csv"]}, "sales_orders-20240101.csv is no raw"),
        ({"files": [f"{EXPORTS}-20240101.csv"]}, "is no raw file of these: sales_order"),
    ],
)
def test_what_names_no_file_is_an_error_that_says_what_there_is(conditions, told):
    with pytest.raises(SelectionError, match=re.escape(told)):
        selected(**conditions)
