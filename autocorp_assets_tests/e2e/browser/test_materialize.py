"""What to press: a table is brought up to date by a click."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from autocorp_assets.asset_keys import curated_key
from autocorp_assets_tests.e2e.browser.stage import RUN_WITHIN_MILLISECONDS, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

KEY = curated_key("service")


def test_a_click_materialises_a_table_and_its_run_succeeds(stage: Stage, page: Page):
    page.goto(stage.asset(KEY))
    page.get_by_role("button", name="Materialize").click()
    page.get_by_role("region", name="Notifications").get_by_role("link", name="View").click()

    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=RUN_WITHIN_MILLISECONDS)
    run_id = page.url.rpartition("/")[2]
    page.goto(stage.asset(KEY, "events"))
    expect(page.get_by_role("link", name=run_id[:8]).first).to_be_visible()
