"""The page of a curated table says what it is, how it stands, what became of the rows, and how that went over time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.contracts import TABLES
from autocorp_assets.curated.metadata import ROW_COUNTS
from autocorp_assets_tests.e2e.browser.conftest import Picture
from autocorp_assets_tests.e2e.browser.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

CONTRACT = TABLES["sales_order"]
KEY = curated_key(CONTRACT.name)
PLOTTED = ("bytes", "dagster/row_count", "lag_seconds", "quality", "seconds", *ROW_COUNTS)


def test_what_the_table_is(stage: Stage, page: Page):
    page.goto(stage.asset(KEY))

    expect(page.get_by_text(CONTRACT.description)).to_be_visible()
    known = [CONTRACT.owner.removeprefix("team:"), "zone: curated", "personal-data", "Hudi", "Spark", "curate_news"]
    for words in (*known, f"autocorp_lake.{CONTRACT.name}"):
        expect(page.get_by_text(words, exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Open contract"))).to_be_visible()
    for column in CONTRACT.lake_columns:
        row = re.compile(rf"^{column.name} .*{re.escape(column.type)}")
        expect(page.get_by_role("row", name=row).first).to_be_attached()


def test_whether_it_is_fresh_and_when_it_would_not_be(stage: Stage, page: Page):
    stage.wait_until_fresh(KEY)
    page.goto(stage.asset(KEY))

    level = CONTRACT.service_level
    expect(page.get_by_text("Passing", exact=True).first).to_be_visible()
    since = "since last materialization"
    expect(page.get_by_text(f"Fails if more than {level.fail_minutes} minutes {since}")).to_be_visible()
    expect(page.get_by_text(f"Warns if more than {level.warn_minutes} minutes {since}")).to_be_visible()


def test_a_materialisation_leads_to_its_run_its_job_s_log_and_the_rows_that_it_kept_out(stage: Stage, page: Page):
    first = stage.oldest_materialization(KEY)
    page.goto(f"{stage.asset(KEY, 'events')}&time={first.timestamp * 1000:.0f}")

    expect(page.get_by_role("link", name=first.run_id[:8])).to_be_visible()
    kept_out = page.get_by_role("row", name=re.compile("^rows_quarantined [1-9]"))
    expect(kept_out).to_be_visible()
    expect(page.get_by_text(f"autocorp quarantine show {CONTRACT.name}")).to_be_visible()
    for name in ("job_log", "quarantine_batch_1"):
        row = page.get_by_role("row", name=re.compile(f"^{name}"))
        expect(row).to_be_visible()
        assert Path(row.get_by_role("cell").nth(1).inner_text().strip()).exists()


def test_its_numbers_are_plotted_over_time(stage: Stage, page: Page, picture: Picture):
    page.set_viewport_size({"width": 1400, "height": 1160})
    page.goto(stage.asset(KEY))
    page.get_by_role("button", name="Plots").click()

    for name in PLOTTED:
        expect(page.get_by_text(name, exact=True).first).to_be_attached()
    assert page.locator("canvas").count() >= len(PLOTTED)
    assert stage.materializations(KEY) > 2
    page.get_by_role("button", name="Status").click()
    page.get_by_role("button", name="Columns").click()
    expect(page.locator("canvas").first).to_be_in_viewport()
    picture(page, "asset-page")
