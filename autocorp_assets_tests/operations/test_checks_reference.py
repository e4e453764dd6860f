"""docs/checks.md is what the contracts and the checks say."""

import dagster as dg
import pytest

from autocorp_assets.checks.meaning import ERROR, WARNING
from autocorp_assets.contracts import TABLES
from autocorp_assets.definitions import defs
from autocorp_assets.operations.checks_reference import PAGE, checks_page, described_checks

CHECKS = described_checks(defs)


def test_the_committed_page_is_what_is_generated():
    assert PAGE.read_text(encoding="utf-8") == checks_page(CHECKS), "run `make docs`"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.asset}:{check.name}")
def test_every_check_says_what_it_means_and_what_to_do(check):
    assert check.meaning is not None, "give its spec the metadata and description of a CheckMeaning"
    assert check.meaning.severity.startswith((ERROR, WARNING))
    assert check.meaning.title in check.description
    assert check.meaning.what_to_do in check.description
    assert check.meaning.means.endswith(".")
    assert check.meaning.what_to_do.endswith(".")


def test_every_check_of_a_contracts_table_is_told_with_it():
    page = checks_page(CHECKS)
    for name in TABLES:
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert f"`reconciliation` of `curated/{name}`" in section
        assert all(f"`{check.name}` of `{check.asset}`" in section for check in CHECKS if check.table == name)


def test_rules_are_told_in_words_with_what_becomes_of_a_row():
    orders = checks_page(CHECKS).split("\n## sales_order\n")[1].split("\n## ")[0]
    kept_out = "applied: the lake mirrors the source; flagged by `rules` | kept out whole, in quarantine"

    assert f"| `total_amount`: at least 0 | error (`rules`) | {kept_out} |" in orders
    assert f"| `total_amount` is `subtotal` + `tax`, to the cent | error (`rules`) | {kept_out} |" in orders
    assert "| `invoice_number`: matches `[A-Z]+-\\d{4}-\\d+` |" in orders
    assert "`customer_id` is a `customer_id` of `customers` | warning (`references`)" in orders
    assert "exports do not say whom it means" in orders
    assert "- A missing `tax` in an export is made from `total_amount` less `subtotal`" in orders
    assert "| `order_date`: not before 2021-06-07 |" in orders


def test_a_check_without_a_meaning_is_listed_all_the_same():
    @dg.asset_check(asset=dg.AssetKey(["views", "customer"]), description="One row | a person.")
    def one_row_a_person() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    assets = [dg.AssetSpec(dg.AssetKey(["views", "customer"]))]
    page = checks_page(described_checks(dg.Definitions(assets=assets, asset_checks=[one_row_a_person])))

    others = page.split("## Checks of other assets")[1]
    assert "`one_row_a_person` of `views/customer`" in others
    assert "One row | a person." in others
