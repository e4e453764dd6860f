"""Which raw type may feed which type of the lake."""

import pytest

from spark_jobs.lake_types import common, has_route, unnamed_type, widens


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("int", "int"),
        ("smallint", "int"),
        ("int", "bigint"),
        ("int", "decimal(12,2)"),
        ("decimal(10,2)", "decimal(12,2)"),
        ("date", "timestamp"),
        ("float", "double"),
        ("int", "string"),
        ("decimal(10,2)", "string"),
        ("date", "string"),
        ("boolean", "string"),
    ],
)
def test_a_type_that_holds_every_value_is_wider_and_the_other_way_round_is_not(narrow, wide):
    assert widens(narrow, wide)
    assert narrow == wide or not widens(wide, narrow)


@pytest.mark.parametrize(
    ("raw", "lake"),
    [
        ("bigint", "int"),
        ("decimal(38,4)", "decimal(19,2)"),
        ("decimal(28,6)", "int"),
        ("decimal(12,2)", "decimal(10,4)"),
    ],
)
def test_between_exact_numbers_each_value_is_judged(raw, lake):
    assert has_route(raw, lake)
    assert not widens(raw, lake)


@pytest.mark.parametrize(
    ("raw", "lake"),
    [
        ("string", "int"),
        ("string", "decimal(12,2)"),
        ("string", "date"),
        ("string", "timestamp"),
        ("timestamp", "int"),
        ("timestamp", "date"),
        ("boolean", "date"),
        ("int", "date"),
        ("double", "decimal(12,2)"),
        ("double", "string"),
        ("bigint", "double"),
        ("binary", "string"),
        ("array<string>", "string"),
    ],
)
def test_a_change_of_meaning_has_no_route(raw, lake):
    assert not has_route(raw, lake)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("int", "bigint", "bigint"),
        ("int", "string", "string"),
        ("date", "timestamp", "timestamp"),
        ("decimal(12,2)", "decimal(10,4)", "decimal(14,4)"),
        ("decimal(10,2)", "bigint", "decimal(21,2)"),
        ("date", "int", "string"),
        ("decimal(38,0)", "decimal(38,4)", None),
        ("double", "string", None),
    ],
)
def test_what_arrives_with_two_types_is_kept_in_one_that_holds_both(first, second, both):
    assert common(first, second) == both
    assert common(second, first) == both


def test_an_unnamed_column_keeps_its_type_so_that_a_contract_can_name_it_with_that():
    kept = ("string", "int", "bigint", "decimal(12,2)", "date", "timestamp", "double", "boolean")
    assert [unnamed_type(of) for of in kept] == list(kept)
    assert [unnamed_type(of) for of in ("smallint", "float")] == ["int", "double"]
