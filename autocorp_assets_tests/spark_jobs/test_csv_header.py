"""What a file's first bytes say of it."""

from __future__ import annotations

import gzip

import pytest

from autocorp_assets.contracts import FEEDS, TABLES
from spark_jobs.csv_header import NO_NAME, Header, Refusal, judge_header

CUSTOMERS, ORDERS, PARTS = TABLES["customers"], TABLES["sales_order"], TABLES["sales_order_parts"]
NAMES = FEEDS["customers"].columns
HEADER = ",".join(NAMES)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with BOM"])
def test_the_contracts_header_is_read_whatever_ends_its_line(mark, line_end):
    head = mark + f"{HEADER}{line_end}a{line_end}".encode()

    assert judge_header(head, CUSTOMERS) == Header(NAMES, ())


def test_order_does_not_matter_and_strangers_are_named():
    head = b'\n"last_name", email ,loyalty,first_name,,\n'

    assert judge_header(head, CUSTOMERS) == Header(
        ("last_name", "email", "loyalty", "first_name", "", ""), ("loyalty", NO_NAME, NO_NAME)
    )


def test_a_column_without_which_no_row_counts_must_be_there_and_others_may_be_missing():
    assert CUSTOMERS.needed_of_feed == ("first_name", "last_name", "email")
    assert ORDERS.needed_of_feed == ("order_id", "customer_id", "order_date", "invoice_number")
    assert PARTS.needed_of_feed == ("order_id", "quantity")

    assert isinstance(judge_header(",".join(ORDERS.needed_of_feed).encode(), ORDERS), Header)
    verdict = judge_header(b"order_id,customer_id,invoice_number,tax\n", ORDERS)
    assert isinstance(verdict, Refusal)
    assert verdict.reason.startswith("the header has no column order_date, and no row counts without: export it too")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "the file is empty: it must at least have the header first_name,last_name"),
        (b"\n\n", "empty"),
        (b"\xef\xbb\xbf\r\n", "empty"),
        (HEADER.replace(",", ";").encode(), "separated by semicolons: export them separated by commas"),
        (HEADER.replace(",", "\t").encode(), "separated by tabs"),
        (HEADER.replace(",", "|").encode(), "separated by vertical bars"),
        (b"Zoe,Brien,a@example.com,1,Main,X,IL,1\n", "the first line is no header: it must be first_name,"),
        (HEADER.encode("utf-16"), "UTF-16, not UTF-8: export it as UTF-8"),
        (HEADER.encode("utf-16-be"), "NUL bytes"),
        (gzip.compress(HEADER.encode(), mtime=0), "compressed (gzip): deliver it unpacked"),
        (b"PK\x03\x04\x14\x00", "save it as CSV"),
        (b"first_name,last_name,email,Email\n", "column email twice"),
    ],
)
def test_what_is_no_such_export_is_refused_with_a_remedy(head, reason):
    verdict = judge_header(head, CUSTOMERS)

    assert isinstance(verdict, Refusal)
    assert reason in verdict.reason
