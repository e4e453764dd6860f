"""CSV deliveries: what is repaired, kept out, superseded; and that every row is accounted for."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import pytest

from autocorp_assets.contracts import FEEDS
from autocorp_assets.contracts.raw_format import SUPERSEDED_DELIVERIES
from autocorp_assets.local.transfer import transfer
from spark_jobs.csv_header import NO_NAME

pytestmark = pytest.mark.spark

ORDERS_HEADER = ",".join(FEEDS["sales_orders"].columns)
LINES_HEADER = ",".join(FEEDS["sales_order_parts"].columns)


def orders(*lines: str) -> str:
    return "\n".join((ORDERS_HEADER, *lines)) + "\n"


def order_line(order_id: object, **cells: str) -> str:
    row = {
        "order_id": str(order_id),
        "customer_id": "5",
        "order_date": "2024-01-02 10:00:00",
        "invoice_number": f"INV-2024-{order_id}",
        "payment_method": "Cash",
        "subtotal": "10.00",
        "tax": "0.80",
        "total_amount": "10.80",
        "order_type": "Parts",
        "status": "Completed",
        **cells,
    }
    return ",".join(row[name] for name in FEEDS["sales_orders"].columns)


def quarantined(lake, table):
    return lake.spark.read.parquet(str(lake.root / "processed/quarantine" / table)).collect()


DIRTY = {
    order_line(1, customer_id=""): "customer_id: required",
    order_line(2, order_date=""): "order_date: required",
    order_line(3, invoice_number=""): "invoice_number: required",
    order_line(4, order_date="2024-13-01 10:00:00"): "order_date: malformed",
    order_line(5, order_date="2023-02-30 10:00:00"): "order_date: malformed",
    order_line(6, order_date="yesterday"): "order_date: malformed",
    order_line(7, order_date="03/04/2024"): "order_date: malformed",
    order_line(8, order_date="2024-01-01 25:00:00"): "order_date: malformed",
    order_line(9, order_date="2024-11-22 00:00:00"): "order_date: not after its delivery",
    order_line(10, order_date="2021-06-06 23:59:59"): "order_date: not before 2021-06-07",
    order_line(11, subtotal="-10.00", total_amount="-9.20"): "subtotal: at least 0",
    order_line(12, payment_method="Cheque"): "payment_method: known value",
    order_line(13, total_amount="11.80"): "total_amount: sum of subtotal and tax",
    order_line(14, subtotal="10.001"): "subtotal: malformed",
    "15,5": "row: not as many cells as the header has",
}


def test_a_row_that_breaks_a_rule_is_quarantined_whole_with_its_place_and_reason(lake):
    lake.raw.csv("sales_orders", "20241121", orders(*DIRTY, order_line(99)))
    # A quote that nobody closes takes the rows behind it along, up to the next quote or to the end.
    lake.raw.csv("sales_orders", "20241122", orders(order_line(51), order_line(52, status='"Open'), order_line(53)))
    to_the_next = orders(order_line(54, status='"Open'), order_line(55, status='"Done"'), order_line(56))
    lake.raw.csv("sales_orders", "20241123", to_the_next)

    accounts = lake.curate("sales_order").files

    assert [(account.read, account.quarantined, account.applied) for account in accounts] == [
        (len(DIRTY) + 1, len(DIRTY), 1),
        (2, 1, 1),
        (2, 1, 1),
    ]
    assert lake.rows("sales_order", "status") == dict.fromkeys(("csv:99", "csv:51", "csv:56"), "Completed")
    kept = {(row["file"], row["position"]): row for row in quarantined(lake, "sales_order")}
    rules, to_end, to_next = (f"raw/csv/sales_orders/sales_orders-{day}.csv" for day in (20241121, 20241122, 20241123))
    assert [kept[rules, at]["reasons"][0] for at in range(1, len(DIRTY) + 1)] == list(DIRTY.values())
    assert json.loads(kept[rules, 6]["row"])["order_date"] == "yesterday"
    assert kept[rules, 15]["row"] == "15,5"
    not_closed = ["row: a quote is not closed, and a cell holds the rows behind it"]
    assert kept[to_end, 2]["reasons"] == kept[to_next, 1]["reasons"] == not_closed
    assert order_line(53) in kept[to_end, 2]["row"]
    assert order_line(55, status="") in kept[to_next, 1]["row"]


def test_what_can_be_mended_is_mended_and_counted(lake):
    lake.raw.csv(
        "sales_orders",
        "20241121",
        orders(
            order_line(" 1 ", invoice_number="INV-2024-1"),
            order_line(2, subtotal='"1,000.00"', tax="80.00", total_amount='"$1,080.00"'),
            order_line(3, tax=""),
            order_line(4, subtotal=""),
            order_line(5, payment_method=""),
        ),
    )

    report = lake.curate("sales_order")

    stored = lake.rows("sales_order", "subtotal", "tax", "total_amount", "payment_method")
    usual = (Decimal("10.00"), Decimal("0.80"), Decimal("10.80"), "Cash")
    assert stored == {
        "csv:1": usual,
        "csv:2": (Decimal("1000.00"), Decimal("80.00"), Decimal("1080.00"), "Cash"),
        "csv:3": usual,
        "csv:4": usual,
        "csv:5": (*usual[:3], None),
    }
    assert report.files[0].repairs == {
        "order_id: white space trimmed": 1,
        "subtotal: thousands commas removed": 1,
        "total_amount: thousands commas removed": 1,
        "total_amount: leading $ removed": 1,
        "tax: derived": 1,
        "subtotal: derived": 1,
    }


def test_of_a_repeated_order_the_later_row_wins_and_the_earlier_is_kept_whole(lake):
    again = (order_line(2, subtotal=" $10.00", status="First"), order_line(2, status="Second"), order_line(2))
    first = orders(order_line(1), order_line(1), *again, order_line(3, tax="-1"), order_line(3))
    lake.raw.csv("sales_orders", "20241121", first)
    (account,) = lake.curate("sales_order").files

    assert (account.read, account.duplicate, account.quarantined, account.applied) == (7, 1, 3, 3)
    assert lake.rows("sales_order", "status") == dict.fromkeys(("csv:1", "csv:2", "csv:3"), "Completed")
    kept = {row["position"]: row for row in quarantined(lake, "sales_order")}
    overruled = "order_id: repeated, a later row of the file wins"
    assert {position: row["reasons"][0] for position, row in kept.items()} == {
        3: overruled,
        4: overruled,
        6: "tax: at least 0",
    }
    assert kept[3]["record_key"] == "csv:2"
    assert json.loads(kept[3]["row"])["status"] == "First"
    assert json.loads(kept[3]["row"])["subtotal"] == " $10.00"

    lake.raw.csv("sales_orders", "20241122", orders(order_line(2, status="Shipped"), order_line(2, status="Paid")))
    lake.raw.csv("sales_orders", "20241123", orders(order_line(2, status="Returned")))
    older, newer = lake.curate("sales_order").files

    assert (older.quarantined, older.superseded, newer.applied) == (1, 1, 1)
    assert lake.rows("sales_order", "status")["csv:2"] == "Returned"


def test_only_what_differs_is_written_whichever_way_a_delivery_comes_again(lake, tmp_path):
    landing = tmp_path / "landing"
    landing.mkdir()

    def deliver(day: str, *rows: str) -> tuple[int, int]:
        """A file lands and is taken: rows that the table was asked to write, and rows that it has already."""
        (landing / f"sales_orders-{day}.csv").write_text(orders(*rows))
        transfer("sales_orders", landing=landing, lake=lake.root, settled_seconds=0)
        if lake.plan("sales_order").is_empty:
            return 0, 0
        report = lake.curate("sales_order")
        return report.upserted, report.files[0].unchanged

    export = [order_line(number) for number in (1, 2, 3)]
    assert deliver("20241121", *export) == (3, 0)
    assert deliver("20241121", *export) == (0, 0), "the same file again"
    assert deliver("20241122", *export) == (0, 3), "the same content as another day's export"
    export[0] = order_line(1, status="Paid")
    assert deliver("20241123", *export, order_line(4)) == (2, 2)
    export[1] = order_line(2, status="Corrected")
    assert deliver("20241123", *export, order_line(4)) == (1, 3), "corrected under the same name"
    assert deliver("20241101", order_line(2, status="Old"), order_line(5, status="Old")) == (1, 0), "older, and late"

    assert lake.rows("sales_order", "status") == {
        "csv:1": "Paid",
        "csv:2": "Corrected",
        "csv:3": "Completed",
        "csv:4": "Completed",
        "csv:5": "Old",
    }
    [aside] = (lake.root / SUPERSEDED_DELIVERIES / "sales_orders").iterdir()
    assert aside.read_text() == orders(order_line(1, status="Paid"), order_line(2), order_line(3), order_line(4))


def lines(*rows: str) -> str:
    return "\n".join((LINES_HEADER, *rows)) + "\n"


def test_a_companion_file_replaces_all_lines_of_each_order_in_it(lake):
    lake.raw.csv(
        "sales_order_parts",
        "20241121",
        lines("1,a,x,1,1.00,1.00", "1,a,x,1,1.00,1.00", "1,c,x,3,1.00,3.00", "2,d,x,4,1.00,4.00"),
    )
    lake.curate("sales_order_parts")
    assert lake.rows("sales_order_parts", "sku") == {"csv:1:1": "a", "csv:1:2": "a", "csv:1:3": "c", "csv:2:1": "d"}

    lake.raw.csv("sales_order_parts", "20241222", lines("1,a,x,1,1.00,1.00", "1,e,x,0,1.00,1.00", "3,f,x,1,1.00,1.00"))
    (account,) = lake.curate("sales_order_parts").files

    assert lake.rows("sales_order_parts", "sku") == {"csv:1:1": "a", "csv:2:1": "d", "csv:3:1": "f"}
    assert (account.read, account.unchanged, account.applied, account.quarantined) == (3, 1, 1, 1)


def bare(order_id: int, *left_out: str) -> str:
    """An order as CSV, header and row, without some columns and with strangers."""
    names = [name for name in reversed(FEEDS["sales_orders"].columns) if name not in left_out]
    cells = dict(zip(FEEDS["sales_orders"].columns, order_line(order_id).split(","), strict=True))
    return ",".join((*names, "loyalty", "")) + "\n" + ",".join((*(cells[name] for name in names), "gold", "")) + "\n"


REFUSED = {
    "20241101": (orders(order_line(1), order_line(2, status="é")).encode("latin-1"), "line 3 is not UTF-8"),
    "20241102": (orders(order_line(1)).encode("utf-16"), "UTF-16"),
    "20241103": (orders(order_line(1)).replace(",", ";"), "separated by semicolons"),
    "20241104": (order_line(1), "no header"),
    "20241105": (b"", "empty"),
    "20241106": (gzip.compress(orders(order_line(1)).encode(), mtime=0), "deliver it unpacked"),
    "20241107": (
        orders(*map(order_line, range(1, 1200)), order_line(1200, status="\0")),
        "line 1,201 holds a NUL byte",
    ),
    "20241108": (bare(1, "order_date"), "no column order_date"),
}
ACCEPTED = {
    "20241121": (b"\xef\xbb\xbf" + orders(order_line(7)).replace("\n", "\r\n").encode(), 1),
    "20241122": (bare(8, "tax", "status"), 1),
    "20241123": (ORDERS_HEADER, 0),
    "20241124": (orders(order_line(9), "", order_line(10)).replace("\n", "\r"), 2),
    "20241125": (orders(order_line(11, status='"Comp\r\n""let,""ed"'), order_line(12, payment_method="Cash\u3000")), 2),
}


def test_files_that_are_no_such_export_are_refused_whole_and_the_feed_goes_on(lake):
    for day, (content, _) in (REFUSED | ACCEPTED).items():
        lake.raw.csv("sales_orders", day, content)

    report = lake.curate("sales_order")

    accounts = {file.file[-12:-4]: file for file in report.files}
    assert {day: reason for day, (_, reason) in REFUSED.items() if reason not in (accounts[day].refused or "")} == {}
    assert {day: accounts[day].read for day in REFUSED} == dict.fromkeys(REFUSED, 0)
    assert {day: accounts[day].applied for day in ACCEPTED} == {day: rows for day, (_, rows) in ACCEPTED.items()}
    assert report.unknown_columns == (NO_NAME, "loyalty")
    assert lake.rows("sales_order", "status", "tax", "payment_method") == {
        **{f"csv:{number}": ("Completed", Decimal("0.80"), "Cash") for number in (7, 9, 10, 12)},
        "csv:8": (None, Decimal("0.80"), "Cash"),
        "csv:11": ('Comp\r\n"let,"ed', Decimal("0.80"), "Cash"),
    }
    assert lake.plan("sales_order").is_empty
    assert all(report.checkpoint.deliveries[f"sales_orders-{day}.csv"].refused for day in REFUSED)


def test_a_refused_file_is_not_looked_at_again_until_it_is_corrected(lake):
    lake.raw.load("sales_order", [{"order_id": 1, "status": "db"}])
    lake.raw.csv("sales_orders", "20241121", b"")
    lake.curate("sales_order")
    assert lake.plan("sales_order").is_empty

    lake.raw.csv("sales_orders", "20241121", orders(order_line(7)))
    report = lake.curate("sales_order")

    assert lake.rows("sales_order", "status") == {"db:1": "db", "csv:7": "Completed"}
    assert report.checkpoint.deliveries["sales_orders-20241121.csv"].refused is None


def test_customers_are_known_by_their_trimmed_case_folded_email(lake):
    header = ",".join(FEEDS["customers"].columns)
    people = (
        'Zoë,"O\'Brien, Jr","  A@Example.com ",,"1 Main\nStreet",X,IL,00123\nZoe,Brien,a@example.COM,1,2 Main,X,IL,1\n'
    )
    lake.raw.csv("customers", "20241121", f"{header}\n{people}")

    (account,) = lake.curate("customers").files

    ((key, value),) = lake.rows("customers", "first_name", "email", "customer_id", "source_system").items()
    assert key.startswith("csv:")
    assert value == ("Zoe", "a@example.COM", None, "csv")
    assert (account.applied, account.superseded) == (1, 1)


def test_both_systems_share_a_table_and_the_audit_has_a_line_for_each_file(lake):
    lake.raw.load("sales_order", [{"order_id": 1, "status": "db"}])
    lake.raw.csv("sales_orders", "20241121", orders(order_line(1)))

    report = lake.curate("sales_order")

    assert lake.rows("sales_order", "status") == {"db:1": "db", "csv:1": "Completed"}
    audit = [
        json.loads(line)
        for path in (lake.root / "processed/audit/sales_order").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert {line["file"]: line["applied"] for line in audit} == {file.file: 1 for file in report.files}
