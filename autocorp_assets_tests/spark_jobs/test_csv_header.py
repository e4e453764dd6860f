"""What a file's first bytes say of it."""

from __future__ import annotations

import pytest

from autocorp_assets.contracts import FEEDS
from spark_jobs.csv_rows import Header, Refusal, judge_header

FEED = FEEDS["customers"]
HEADER = ",".join(FEED.columns)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with BOM"])
def test_the_contracts_header_is_read_whatever_ends_its_line(mark, line_end):
    assert judge_header(mark + f"{HEADER}{line_end}a{line_end}".encode(), FEED) == Header(FEED.columns, ())


def test_order_does_not_matter_and_strangers_are_named():
    assert judge_header(b"email,loyalty,first_name\n", FEED) == Header(("email", "loyalty", "first_name"), ("loyalty",))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (HEADER.replace(",", ";").encode(), "no column email"),
        (HEADER.replace(",", "\t").encode(), "no column email"),
        (b"Zoe,Brien,a@example.com,1,Main,X,IL,1\n", "no column email"),
        (HEADER.encode("utf-16"), "NUL"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"email,first_name,Email\n", "twice"),
    ],
)
def test_what_is_no_such_export_is_refused_with_a_remedy(head, reason):
    verdict = judge_header(head, FEED)

    assert isinstance(verdict, Refusal)
    assert reason in verdict.reason
