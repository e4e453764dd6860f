"""Where sums differ only those keys are looked at, and every key that differs is found."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocorp_assets.contracts import TABLES
from autocorp_assets.reconciliation.keys import Buckets, Key, KeyRange, Rows, differing_keys, differing_ranges

SIDES = st.dictionaries(st.integers(0, 40), st.integers(0, 3).map(lambda value: Rows(1, value)))


class Side:
    """Rows in memory; remembers how much was asked for at a time."""

    def __init__(self, rows: Mapping[int, Rows]) -> None:
        self.rows = rows

    def page(self, keys: KeyRange, limit: int) -> Mapping[Key, Rows]:
        return {key: self.rows[key] for key in sorted(filter(lambda k: holds(keys, k), self.rows))[:limit]}

    def buckets(self, starts: list[int], within: KeyRange) -> dict[int, Rows]:
        sums: dict[int, Rows] = {}
        for key, row in self.rows.items():
            if holds(within, key):
                bucket = bisect_right(starts, key)
                before = sums.get(bucket, Rows(0, 0))
                sums[bucket] = Rows(before.count + row.count, before.checksum + (row.checksum + 1) * 7**key)
        return sums


def holds(keys: KeyRange, key: int) -> bool:
    tests = {">=": key.__ge__, ">": key.__gt__, "<=": key.__le__, "<": key.__lt__}
    return all(tests[operator](bound) for operator, bound in keys.bounds)


@given(left=SIDES, right=SIDES, starts=st.sets(st.integers(0, 40)).map(sorted), low=st.none() | st.integers(0, 40))
def test_exactly_the_keys_that_differ_are_found_whatever_the_buckets(left, right, starts, low):
    within = KeyRange(low=low, high=35)
    here, there = Side(left), Side(right)
    starts = [start for start in starts if holds(within, start)]

    ranges = differing_ranges(
        Buckets(starts=starts, rows=here.buckets(starts, within)), there.buckets(starts, within), within
    )
    found = [key for keys in ranges for key in differing_keys(here, there, keys, page_rows=3)]

    asked = [key for key in left.keys() | right.keys() if holds(within, key)]
    assert sorted(found) == sorted(key for key in asked if left.get(key) != right.get(key))


def test_only_buckets_that_differ_are_ranges_and_neighbours_are_one():
    same, other = Rows(1, 1), Rows(1, 2)
    left = Buckets(starts=["b", "d", "f"], rows=dict.fromkeys(range(4), same))

    assert differing_ranges(left, dict.fromkeys(range(4), same), KeyRange()) == []
    assert differing_ranges(left, {0: same, 1: other, 2: other, 3: same}, KeyRange()) == [
        KeyRange(low="b", high="f", below_high=True)
    ]
    assert differing_ranges(left, {0: other, 1: same, 2: same}, KeyRange(low="a", high="z")) == [
        KeyRange(low="a", high="b", below_high=True),
        KeyRange(low="f", high="z"),
    ]


def test_a_record_that_is_stored_twice_differs():
    assert list(differing_keys(Side({1: Rows(1, 5)}), Side({1: Rows(2, 10)}), KeyRange(), page_rows=5)) == [1]


def test_a_range_is_typed_as_the_tables_key():
    assert KeyRange.parse(TABLES["sales_order"], "10", None).bounds == [(">=", 10)]
    assert KeyRange.parse(TABLES["service"], "10", "20").bounds == [(">=", "10"), ("<=", "20")]
    with pytest.raises(ValueError, match="'x' is no order_id of sales_order: give a whole number"):
        KeyRange.parse(TABLES["sales_order"], "x", None)
