"""The manifests are true: an independent reading of the files, by the contracts' rules, finds the same."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest

from autocorp_assets.contracts import FEEDS, SALES_ORDER, TABLE_BY_FEED
from autocorp_assets.contracts.model import Matches, OneOf
from autocorp_assets.local.generator.dirt import DIRT, USUAL_RATES
from autocorp_assets.local.generator.exports import write_customers, write_sales_orders
from autocorp_assets.local.generator.landing import MANIFESTS, FileManifest
from autocorp_assets.local.generator.seed import seed_rows

DAY = date(2025, 1, 31)
ORDERS = 3_000
ORDER_FEEDS = ("sales_orders", "sales_order_parts", "sales_order_services")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def amount(text: str) -> tuple[Decimal | None, bool]:
    """The amount, and whether it had to be repaired."""
    plain = text.strip().removeprefix("$").replace(",", "")
    return (Decimal(plain) if plain else None), plain != text


def judge_order(row: dict[str, str]) -> str:
    """What the platform must do with a row of sales_orders."""
    text = {name: value.strip() for name, value in row.items()}
    repaired = text != row
    try:
        ordered = datetime.fromisoformat(text["order_date"])
        int(text["customer_id"])
        money = {}
        for name in ("subtotal", "tax", "total_amount"):
            money[name], mended = amount(row[name])
            repaired |= mended
    except (ValueError, InvalidOperation):
        return "quarantined"
    for name, parts in (("tax", ("total_amount", "subtotal")), ("subtotal", ("total_amount", "tax"))):
        if money[name] is None:
            money[name] = money[parts[0]] - money[parts[1]]
            repaired = True
    good = (
        datetime(2021, 6, 7) <= ordered < datetime(2025, 2, 1)
        and min(money.values()) >= 0
        and money["subtotal"] + money["tax"] == money["total_amount"]
        and all(
            keeps(rule, text[column.name])
            for column in SALES_ORDER.columns
            for rule in column.rules
            if column.name in text
        )
        and (text["invoice_number"] != "")
    )
    return ("repaired" if repaired else "clean") if good else "quarantined"


def keeps(rule: object, value: str) -> bool:
    if isinstance(rule, OneOf):
        return value == "" or value in rule.values
    if isinstance(rule, Matches):
        return re.fullmatch(rule.pattern, value) is not None
    return True


def judge_line(row: dict[str, str]) -> str:
    if int(row["quantity"]) < 1:
        return "quarantined"
    texts = [value for name, value in row.items() if name.endswith("_description") is False]
    amounts = [amount(row[name])[1] for name in ("unit_price", "labor_cost", "parts_cost", "line_total") if name in row]
    return "repaired" if any(amounts) or any(text != text.strip() for text in texts) else "clean"


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("landing")
    return folder, write_sales_orders(folder, DAY, orders=ORDERS, seed=5)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("landing")
    return folder, write_sales_orders(folder, DAY, orders=ORDERS, seed=5, dirt=None)


def test_sales_orders_hold_exactly_the_dirt_that_the_manifest_counts(dirty):
    folder, manifests = dirty
    told = manifests["sales_orders"]
    rows = rows_of(folder / told.file)
    last = {row["order_id"].strip(): number for number, row in enumerate(rows)}
    seen: set[tuple[str, ...]] = set()
    found: Counter[str] = Counter()
    for number, row in enumerate(rows):
        content = tuple(row.values())
        is_again = content in seen
        seen.add(content)
        verdict = judge_order(row)
        if is_again:
            verdict = "duplicate"
        elif verdict != "quarantined" and last[row["order_id"].strip()] != number:
            # Its content comes again as it is (the later one is the duplicate), or otherwise.
            later = rows[last[row["order_id"].strip()]]
            verdict = verdict if tuple(later.values()) == content else "quarantined"
        found[verdict] += 1
    assert len(rows) == told.rows
    assert found == {
        "clean": told.applied - sum(told.repaired.values()),
        "repaired": sum(told.repaired.values()),
        "quarantined": sum(told.quarantined.values()),
        "duplicate": told.duplicates,
    }
    assert told.superseded == 0
    assert told.quarantined["order_id_repeated"] == 1


def test_a_repeated_order_comes_again_later_and_otherwise(dirty, clean):
    once = {row["order_id"]: row for row in rows_of(clean[0] / "sales_orders-20250131.csv")}
    occurrences: dict[str, list[dict[str, str]]] = {}
    for row in rows_of(dirty[0] / "sales_orders-20250131.csv"):
        occurrences.setdefault(row["order_id"], []).append(row)
    again = [(once[key], *rows) for key, rows in occurrences.items() if len(rows) > 1]
    assert len(again) == 2
    assert all(first == original for original, first, _ in again)
    assert sorted(last == original for original, _, last in again) == [False, True]


@pytest.mark.parametrize("feed", ORDER_FEEDS[1:])
def test_line_files_hold_exactly_the_dirt_that_the_manifest_counts(feed, dirty):
    folder, manifests = dirty
    told = manifests[feed]
    found = Counter(judge_line(row) for row in rows_of(folder / told.file))
    assert found == {
        "clean": told.applied - sum(told.repaired.values()),
        "repaired": sum(told.repaired.values()),
        "quarantined": told.quarantined["zero_quantity"],
    }
    assert told.duplicates == told.superseded == 0


@pytest.mark.parametrize("feed", ORDER_FEEDS)
def test_even_a_small_file_has_each_kind_of_dirt(feed, dirty):
    _, manifests = dirty
    kinds = {dirt.kind for dirt in DIRT if dirt.table is TABLE_BY_FEED[feed]}
    assert manifests[feed].dirt.keys() == kinds


@pytest.mark.parametrize("feed", ORDER_FEEDS)
def test_outcomes_add_up_to_the_rows(feed, dirty):
    _, manifests = dirty
    told = manifests[feed]
    assert told.rows == told.applied + sum(told.quarantined.values()) + told.duplicates + told.superseded


def test_rates_are_those_of_the_facts():
    assert USUAL_RATES["customer_id_missing"] == 0.007
    assert USUAL_RATES["order_date_missing"] == 0.0002
    assert USUAL_RATES["tax_missing"] == 0.001
    assert USUAL_RATES["zero_quantity"] == 0.0003


def test_rates_can_be_chosen(tmp_path):
    told = write_sales_orders(tmp_path, DAY, orders=1000, dirt={"tax_missing": 0.25})
    assert told["sales_orders"].dirt == {"tax_missing": 250}
    assert sum(row["tax"] == "" for row in rows_of(tmp_path / told["sales_orders"].file)) == 250


def test_an_unknown_kind_of_dirt_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no such dirt: mud; there is .*tax_missing"):
        write_sales_orders(tmp_path, DAY, orders=10, dirt={"mud": 0.1})


def test_clean_files_satisfy_every_rule(clean):
    folder, manifests = clean
    assert {judge_order(row) for row in rows_of(folder / manifests["sales_orders"].file)} == {"clean"}
    for feed in ORDER_FEEDS[1:]:
        assert {judge_line(row) for row in rows_of(folder / manifests[feed].file)} == {"clean"}
    assert all(manifest.dirt == {} and manifest.applied == manifest.rows for manifest in manifests.files)


def test_clean_lines_sum_to_the_subtotals(clean):
    folder, manifests = clean
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for feed in ORDER_FEEDS[1:]:
        for row in rows_of(folder / manifests[feed].file):
            sums[row["order_id"]] += Decimal(row["line_total"])
    orders = rows_of(folder / manifests["sales_orders"].file)
    assert sums == {row["order_id"]: Decimal(row["subtotal"]) for row in orders}
    assert len({row["invoice_number"] for row in orders}) == ORDERS


def test_order_types_of_the_exports(clean):
    folder, manifests = clean
    counts = Counter(row["order_type"] for row in rows_of(folder / manifests["sales_orders"].file))
    for kind, share in (("Parts", 0.82), ("Service", 0.09), ("Mixed", 0.09)):
        assert counts[kind] / ORDERS == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("feed", ORDER_FEEDS)
def test_headers_are_the_feeds_columns(feed, dirty):
    folder, manifests = dirty
    with (folder / manifests[feed].file).open(encoding="utf-8") as file:
        assert file.readline().rstrip("\n").split(",") == list(FEEDS[feed].columns)
    assert FEEDS[feed].file_pattern().fullmatch(manifests[feed].file)


def test_manifests_can_be_read_back_and_nothing_hidden_remains(dirty):
    folder, manifests = dirty
    assert all(FileManifest.read(folder, told.file) == told for told in manifests.files)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [MANIFESTS, *(told.file for told in manifests.files)]
    )


def test_an_export_of_new_orders_goes_on_where_the_last_one_ended(clean, tmp_path):
    folder, manifests = clean
    write_sales_orders(tmp_path, DAY, orders=1000, first_order=2001, seed=5, dirt=None)
    for feed in ORDER_FEEDS:
        file = manifests[feed].file
        assert rows_of(tmp_path / file) == [row for row in rows_of(folder / file) if int(row["order_id"]) > 2000]


def test_a_day_before_the_business_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no order can be dated 2020-01-01"):
        write_sales_orders(tmp_path, date(2020, 1, 1), orders=10)


def test_customers_file_knows_the_databases_customers(tmp_path):
    rows = rows_of(write_customers(tmp_path, DAY, count=5_000))
    exported = {row["email"].strip().casefold(): row for row in rows}
    for known in seed_rows(1)["customers"].iter_rows(named=True):
        assert exported[known["email"]]["last_name"] == known["last_name"]
    assert sum(row["email"] != row["email"].strip() for row in rows) == 1
    assert sum(row["email"].upper() == row["email"] for row in rows) == 1


def test_customers_manifest_counts_repeated_people(tmp_path):
    path = write_customers(tmp_path, DAY, count=5_000, dirt={"email_repeated": 0.01, "row_repeated": 0.004})
    rows = [tuple(row.values()) for row in rows_of(path)]
    told = FileManifest.read(tmp_path, path.name)
    emails = Counter(row[2] for row in rows)
    assert (told.rows, told.superseded, told.duplicates, told.applied) == (5_070, 50, 20, 5_000)
    assert len(rows) == 5_070
    assert len(emails) == 5_000
    assert len(set(rows)) == 5_050


def test_customers_are_written_as_people_write(tmp_path):
    rows = rows_of(write_customers(tmp_path, DAY, count=5_000))
    assert any("," in row["address"] for row in rows)
    assert any(ord(letter) > 0xFFFF for row in rows for letter in row["last_name"])
    assert list(rows[0]) == list(FEEDS["customers"].columns)


def test_a_few_people_move_from_one_day_to_the_next(tmp_path):
    first, second = (rows_of(write_customers(tmp_path, day, count=5_000, dirt=None)) for day in (DAY, date(2025, 2, 1)))
    changed = sum(a != b for a, b in zip(first, second, strict=True))
    assert 0 < changed < 100


def test_same_seed_same_bytes_in_another_process(tmp_path):
    write = (
        "import sys, datetime, pathlib; from autocorp_assets.local.generator.exports import *;"
        "folder, day = pathlib.Path(sys.argv[1]), datetime.date(2025, 1, 31);"
        "write_customers(folder, day, count=2000, seed=9); write_sales_orders(folder, day, orders=2000, seed=9)"
    )
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders):
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", write, folder], check=True, env=environment)
    one, two = ({path.name: path.read_bytes() for path in folder.rglob("*.*")} for folder in folders)
    assert one == two
    assert len(one) == 8
