"""A failing check says what is wrong, how often, in which rows, and what to do, and holds no personal data."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.curated import RULES
from autocorp_assets.contracts import TABLES
from autocorp_assets_tests.e2e.browser.conftest import Picture
from autocorp_assets_tests.e2e.browser.stage import NEGATIVE_TAX, UNKNOWN_PAYMENT, WRONG_TOTAL, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

CONTRACT = TABLES["sales_order"]
KEY = curated_key(CONTRACT.name)


def test_the_table_s_page_leads_to_it(stage: Stage, page: Page):
    page.goto(stage.asset(KEY))
    page.get_by_role("tab", name="Checks").click()
    page.get_by_text(RULES, exact=True).first.click()

    expect(page).to_have_url(re.compile(f"checkDetail={RULES}"))
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()


def test_it_shows_the_rows(stage: Stage, page: Page, picture: Picture):
    page.set_viewport_size({"width": 1430, "height": 1340})
    page.goto(f"{stage.asset(KEY, 'checks')}&checkDetail={RULES}")

    page.get_by_role("button", name="Hide navigation").click()

    expect(page.get_by_text("What to do:")).to_be_visible()
    sample = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name="record_key")).last
    expect(sample).to_be_visible()
    for order in (*UNKNOWN_PAYMENT, *NEGATIVE_TAX, *WRONG_TOTAL):
        expect(sample.get_by_text(f"db:{order}", exact=True).first).to_be_visible()
    personal = {column.name for column in CONTRACT.columns if column.personal}
    assert personal.isdisjoint(sample.get_by_role("columnheader").all_inner_texts())
    is_cut_off = sample.evaluate("table => table.getBoundingClientRect().right > window.innerWidth")
    assert not is_cut_off
    picture(page, "failing-check")
