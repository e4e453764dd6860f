"""Ranges of keys, and which keys of two sides differ. Pure: no source, no lake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

from autocorp_assets.contracts.model import TableContract

Key = Any
"""A primary key: whole numbers or texts, one of the two in any one table, so that keys can be ordered."""
Operator = Literal[">=", ">", "<=", "<"]


class Rows(NamedTuple):
    """How many rows, and the sum of their checksums: equal for equal rows, in whatever order."""

    count: int
    checksum: int


@dataclass(frozen=True, kw_only=True)
class KeyRange:
    """Keys from `low` to `high`; an end of None is open."""

    low: Key | None = None
    high: Key | None = None
    above_low: bool = False
    """Whether `low` itself is left out."""
    below_high: bool = False
    """Whether `high` itself is left out."""

    @property
    def bounds(self) -> list[tuple[Operator, Key]]:
        """What a key of the range fulfils."""
        found: list[tuple[Operator, Key]] = []
        if self.low is not None:
            found.append((">" if self.above_low else ">=", self.low))
        if self.high is not None:
            found.append(("<" if self.below_high else "<=", self.high))
        return found

    def after(self, key: Key) -> KeyRange:
        """What of the range follows a key."""
        return replace(self, low=key, above_low=True)

    @classmethod
    def parse(cls, contract: TableContract, low: str | None, high: str | None) -> KeyRange:
        """A range from texts, both ends included.

        Raises:
            ValueError: a text is no key of the table; the message says what one is.
        """
        return cls(low=_key(contract, low), high=_key(contract, high))


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """A side's rows by bucket: bucket i holds the keys from `starts[i - 1]` to before `starts[i]`."""

    starts: Sequence[Key]
    """Ascending; bucket 0 holds what comes before the first, so there is one bucket more than starts."""
    rows: Mapping[int, Rows]
    """Buckets without a row are left out."""

    @property
    def count(self) -> int:
        return len(self.starts) + 1

    @property
    def total(self) -> int:
        return sum(rows.count for rows in self.rows.values())


def differing_ranges(left: Buckets, right: Mapping[int, Rows], within: KeyRange) -> list[KeyRange]:
    """The buckets in which two sides differ, as ranges of keys; neighbours are one range."""
    differing = sorted(
        bucket for bucket in left.rows.keys() | right.keys() if left.rows.get(bucket) != right.get(bucket)
    )
    ranges: list[KeyRange] = []
    previous = None
    for bucket in differing:
        if previous is not None and bucket == previous + 1:
            ranges[-1] = replace(ranges[-1], **_end(left.starts, bucket, within))
        else:
            low = {"low": left.starts[bucket - 1]} if bucket else {"low": within.low}
            ranges.append(replace(within, **low, **_end(left.starts, bucket, within)))
        previous = bucket
    return ranges


class Paged(Protocol):
    """A side of the comparison that gives its rows by key."""

    def page(self, keys: KeyRange, limit: int) -> Mapping[Key, Rows]:
        """The first `limit` keys of the range, ascending."""
        ...


def differing_keys(left: Paged, right: Paged, keys: KeyRange, *, page_rows: int) -> Iterator[Key]:
    """Keys of the range whose rows differ; at most two pages are held."""
    while True:
        pages = [left.page(keys, page_rows), right.page(keys, page_rows)]
        # A full page says nothing of what follows it.
        ends = [max(page) for page in pages if len(page) == page_rows]
        end = min(ends) if ends else None
        here, there = ({key: page[key] for key in page if end is None or key <= end} for page in pages)
        yield from sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
        if end is None:
            return
        keys = keys.after(end)


def _end(starts: Sequence[Key], bucket: int, within: KeyRange) -> dict[str, Key | bool | None]:
    if bucket < len(starts):
        return {"high": starts[bucket], "below_high": True}
    return {"high": within.high, "below_high": within.below_high}


def _key(contract: TableContract, text: str | None) -> Key | None:
    if text is None or contract.column_by_name[contract.primary_key].type != "int":
        return text
    try:
        return int(text)
    except ValueError:
        message = f"{text!r} is no {contract.primary_key} of {contract.name}: give a whole number"
        raise ValueError(message) from None
