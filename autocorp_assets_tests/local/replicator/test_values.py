"""PostgreSQL's text to Arrow: exact, or NULL with the text kept; never rounded."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocorp_assets.local.replicator.values import arrow_type, plain_money, to_arrow

INT, TEXT, DATE, TIMESTAMP, MONEY, BOOLEAN, NUMERIC, DOUBLE, JSON = 23, 25, 1082, 1114, 790, 16, 1700, 701, 114


def numeric(precision: int, scale: int) -> int:
    """The type modifier of numeric(precision, scale)."""
    return ((precision << 16) | (scale & 0x7FF)) + 4


@pytest.mark.parametrize(
    ("type_oid", "modifier", "text", "value"),
    [
        (INT, -1, "-2147483648", -(2**31)),
        (TEXT, -1, "", ""),
        (JSON, -1, '{"a": 1}', '{"a": 1}'),
        (DATE, -1, "0001-01-01", date(1, 1, 1)),
        (DATE, -1, "9999-12-31", date(9999, 12, 31)),
        (TIMESTAMP, -1, "2024-12-31 23:59:59.999999", datetime(2024, 12, 31, 23, 59, 59, 999999)),
        (TIMESTAMP, -1, "2024-01-01 00:00:00.5", datetime(2024, 1, 1, 0, 0, 0, 500000)),
        (BOOLEAN, -1, "t", "true"),
        (BOOLEAN, -1, "f", "false"),
        (DOUBLE, -1, "-Infinity", float("-inf")),
        (NUMERIC, numeric(10, 2), "-99999999.99", Decimal("-99999999.99")),
        (NUMERIC, numeric(38, 0), "9" * 38, Decimal("9" * 38)),
        (NUMERIC, -1, "1.5", Decimal("1.500000")),
        (NUMERIC, numeric(39, 0), "9" * 39, "9" * 39),
        (NUMERIC, numeric(5, -2), "12300", "12300"),
        (MONEY, -1, "$1,234.56", Decimal("1234.5600")),
        (MONEY, -1, "-$1.00", Decimal("-1.0000")),
        (MONEY, -1, "($1.00)", Decimal("-1.0000")),
        (MONEY, -1, "-$92,233,720,368,547,758.08", Decimal("-92233720368547758.0800")),
    ],
)
def test_a_value_that_the_type_holds(type_oid, modifier, text, value):
    array, literals = to_arrow(pa.array([text, None]), type_oid=type_oid, type_modifier=modifier)

    assert array.to_pylist() == [value, None]
    assert array.type == arrow_type(type_oid, modifier)
    assert literals == {}


@pytest.mark.parametrize(
    ("type_oid", "modifier", "text"),
    [
        (NUMERIC, numeric(10, 2), "NaN"),
        (NUMERIC, -1, "Infinity"),
        (NUMERIC, -1, "0.0000001"),
        (DATE, -1, "infinity"),
        (DATE, -1, "0044-03-15 BC"),
        (DATE, -1, "10000-01-01"),
        (TIMESTAMP, -1, "-infinity"),
        (TIMESTAMP, -1, "0044-03-15 12:00:00 BC"),
        (TIMESTAMP, -1, "294276-12-31 23:59:59.999999"),
        (MONEY, -1, "1.234,56 €"),
    ],
)
def test_a_value_that_the_type_cannot_hold_is_handed_back_as_text(type_oid, modifier, text):
    """Also far from its neighbours, which keep their places."""
    good = to_arrow(pa.array([None] * 9), type_oid=type_oid, type_modifier=modifier)[0]
    array, literals = to_arrow(pa.array([None] * 4 + [text] + [None] * 4), type_oid=type_oid, type_modifier=modifier)

    assert array.equals(good)
    assert literals == {4: text}


def test_good_values_around_a_bad_one_stay():
    array, literals = to_arrow(
        pa.array([str(number) for number in range(100)] + ["NaN"] + ["7"]),
        type_oid=NUMERIC,
        type_modifier=numeric(10, 2),
    )

    assert array.to_pylist() == [*map(Decimal, range(100)), None, Decimal(7)]
    assert literals == {100: "NaN"}


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_amount_of_money_is_exact(cents):
    whole, rest = divmod(abs(cents), 100)
    text = f"{'-' if cents < 0 else ''}${whole:,}.{rest:02d}"

    assert Decimal(plain_money(text)) == Decimal(cents).scaleb(-2)
