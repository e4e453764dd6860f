"""The lineage page tells the story: from the source over raw and curated to the views."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from autocorp_assets.definitions import defs
from autocorp_assets_tests.e2e.browser.conftest import Picture
from autocorp_assets_tests.e2e.browser.stage import RUN_WITHIN_MILLISECONDS, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

SPECS = defs.resolve_all_asset_specs()
GROUP_OF = {spec.key: str(spec.group_name) for spec in SPECS}
FLOWS = {(dep.asset_key, spec.key) for spec in SPECS for dep in spec.deps}


def graph(page: Page) -> Locator:
    return page.locator("svg").filter(has=page.locator("foreignObject"))


def edges(page: Page) -> Locator:
    return graph(page).locator("path[marker-end]")


def test_groups_and_what_flows_between_them(stage: Stage, page: Page):
    page.goto(f"{stage.url}/asset-groups")

    for group in set(GROUP_OF.values()):
        expect(graph(page).get_by_text(group, exact=True)).to_be_visible()
    between = {(GROUP_OF[above], GROUP_OF[below]) for above, below in FLOWS if GROUP_OF[above] != GROUP_OF[below]}
    assert between == {
        ("source", "raw_database"),
        ("source", "raw_csv"),
        ("raw_database", "curated"),
        ("raw_csv", "curated"),
        ("curated", "views"),
    }
    expect(edges(page)).to_have_count(len(between))


def test_every_asset_what_it_is_made_of_and_which_one_is_broken(stage: Stage, page: Page, picture: Picture):
    page.set_viewport_size({"width": 860, "height": 1330})
    page.goto(f"{stage.url}/asset-groups")
    expect(edges(page)).not_to_have_count(0)

    # The list beside the graph and the navigation take half of the page.
    page.get_by_role("button", name="panel_show_right").last.click()
    page.get_by_role("button", name="Hide navigation").click()
    page.get_by_role("button", name="settings").last.click()
    page.get_by_role("menuitem", name="Expand all groups").click()
    page.keyboard.press("Escape")
    # A table under the pointer has its edges drawn once more.
    page.mouse.move(0, 0)

    expect(edges(page)).to_have_count(len(FLOWS))
    for name in {key.path[-1] for key in GROUP_OF}:
        # The middle of a long name is left out.
        shown = re.compile(rf"^({name}|{name[:3]}\S*…\S*{name[-6:]})$")
        expect(graph(page).get_by_text(shown).first).to_be_visible()
    expect(graph(page).locator("[style*=background-red]")).to_have_text("sales_order")
    made_here = [spec for spec in SPECS if GROUP_OF[spec.key] != "source"]
    # Until a run of the sensors has ended, what it makes has another colour.
    green = graph(page).locator("[style*=background-green]")
    expect(green).to_have_count(len(made_here) - 1, timeout=RUN_WITHIN_MILLISECONDS)
    picture(page, "lineage")
