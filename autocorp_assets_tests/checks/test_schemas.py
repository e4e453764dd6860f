from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from autocorp_assets.checks.schemas import COLUMN_RULES, SAMPLE_ROWS, validate
from autocorp_assets.contracts import TABLES
from autocorp_assets_tests.checks.conftest import DAY, frame

ORDERS = TABLES["sales_order"]
CUSTOMERS = TABLES["customers"]
OTHER = {"record_key": "db:2", "order_id": 2, "invoice_number": "INV-2024-2"}


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ("customer_id: required", {"customer_id": None}, {"customer_id": 0}),
        ("subtotal: at least 0", {"subtotal": Decimal("-0.01"), "total_amount": None}, {"subtotal": None}),
        ("payment_method: known value", {"payment_method": "Gold"}, {"payment_method": None}),
        ("invoice_number: form", {"invoice_number": "INV-2024-1\n"}, {"invoice_number": "WEB-2024-77"}),
        (
            "order_date: not before 2021-06-07",
            {"order_date": DAY.replace(year=2021, month=6, day=6)},
            {"order_date": DAY},
        ),
        (
            "order_date: not after its delivery",
            {"order_date": DAY + timedelta(days=1)},
            {"order_date": DAY + timedelta(hours=23, minutes=59)},
        ),
        ("total_amount: sum of subtotal and tax", {"total_amount": Decimal("10.81")}, {"tax": None}),
    ],
)
def test_each_rule_tells_a_breaking_row_from_a_keeping_one(orders, rule, bad, good):
    assert validate(orders(bad), ORDERS).failures == {rule: 1}
    assert validate(orders(good), ORDERS).passed


def test_values_are_unique_within_one_source_system(orders):
    twice = orders({}, {"record_key": "db:2", "order_id": 2})
    of_both_systems = orders({}, {"record_key": "csv:1", "source_system": "csv"})

    assert validate(twice, ORDERS).failures == {"invoice_number: unique": 2}
    assert validate(of_both_systems, ORDERS).passed


def test_a_csv_row_needs_only_what_its_feed_has(customers):
    assert validate(customers({"customer_id": None, "source_system": "csv"}), CUSTOMERS).passed
    assert validate(customers({"customer_id": None}), CUSTOMERS).failures == {"customer_id: required": 1}
    assert validate(customers({"email": None, "source_system": "csv"}), CUSTOMERS).failures == {"email: required": 1}


def test_a_column_of_another_type_fails_with_its_name(orders):
    outcome = validate(orders({}).with_columns(pl.col("subtotal").cast(pl.String)), ORDERS)

    assert outcome.failures["subtotal: type"] == 1


def test_a_sample_names_the_row_its_file_and_what_the_rule_is_about(orders):
    outcome = validate(
        orders({"total_amount": Decimal("10.81")}, {**OTHER, "payment_method": None, "tax": None}), ORDERS
    )

    assert outcome.sample.to_dicts() == [
        {
            "rule": "total_amount: sum of subtotal and tax",
            "record_key": "db:1",
            "raw_file": "raw/database/t/LOAD00000001.parquet",
            "values": "total_amount = 10.81, subtotal = 10.00, tax = 0.80",
        }
    ]


def test_what_is_not_there_and_what_nobody_may_see_is_said_so(customers):
    outcome = validate(customers({"email": "nobody"}, {"record_key": "db:2", "customer_id": None}), CUSTOMERS)

    assert outcome.sample["values"].to_list() == ["customer_id = NULL", "email = (personal, not shown)"]


def test_the_sample_is_bounded_shows_the_key_and_no_personal_data(customers):
    outcome = validate(customers(*({"record_key": f"db:{n}", "email": f"nobody{n}"} for n in range(500))), CUSTOMERS)

    assert outcome.failures == {"email: form": 500}
    assert 0 < outcome.sample.height <= SAMPLE_ROWS
    assert "record_key" in outcome.sample.columns
    personal = {column.name for column in CUSTOMERS.columns if column.personal}
    assert personal.isdisjoint(outcome.sample.columns)
    assert "nobody" not in str(outcome.sample.to_dicts())


def test_rows_that_were_not_read_cannot_pass(orders):
    with pytest.raises(TypeError, match="collected polars DataFrame"):
        validate(orders({"customer_id": None}).lazy(), ORDERS)


def test_no_rows_keep_every_rule():
    for contract in TABLES.values():
        assert validate(frame(contract), contract).passed


def test_every_kind_of_column_rule_has_a_check():
    used = {type(rule) for table in TABLES.values() for column in table.lake_columns for rule in column.rules}

    assert used <= COLUMN_RULES.keys()
