"""The report is read from a file, without network, on any screen, by anybody, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from autocorp_assets.contracts import TABLES
from autocorp_assets_tests.e2e.browser.conftest import Picture
from autocorp_assets_tests.e2e.browser.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

WCAG_AA = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
A4_WITHOUT_MARGINS: ViewportSize = {"width": 688, "height": 1016}
"""In CSS pixels: 182 mm by 269 mm."""
WINDOW: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 800}


@pytest.fixture(scope="module")
def file(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    ended = stage.folder.run("report", "--output", path)
    assert ended.returncode == 0, ended.stderr
    return path


@pytest.fixture
def requested() -> list[str]:
    """Addresses that the report's page has asked for."""
    return []


@pytest.fixture
def report(chromium: Browser, file: Path, requested: list[str]) -> Iterator[Page]:
    """The report, in a browser that has no network."""
    with chromium.new_context(offline=True, viewport=WINDOW) as context:
        page = context.new_page()
        page.on("request", lambda request: requested.append(request.url))
        page.goto(file.as_uri())
        yield page


def test_it_is_whole_without_network(report: Page, file: Path, requested: list[str], picture: Picture):
    expect(report.get_by_role("heading", level=1)).to_contain_text("1 error")
    for table in TABLES:
        expect(report.get_by_role("heading", level=2, name=table, exact=True)).to_be_visible()
    expect(report.get_by_text("payment_method: known value").first).to_be_visible()
    expect(report.get_by_text("rows kept out, in quarantine").first).to_be_visible()
    assert requested == [file.as_uri()]
    cut_between_lines(report)
    picture(report, "report")


def cut_between_lines(report: Page) -> None:
    """Makes the window as high as what it shows whole."""
    boxes = [box for line in report.locator(".issues li").all() if (box := line.bounding_box())]
    ends = [int(box["y"] + box["height"]) for box in boxes]
    report.set_viewport_size({"width": WINDOW["width"], "height": max(end for end in ends if end < WINDOW["height"])})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible(report: Page, theme):
    report.emulate_media(color_scheme=theme)

    found = Axe().run(report, options=WCAG_AA)

    assert found.violations_count == 0, found.generate_report()
    assert found.response["passes"]


def test_it_is_read_on_a_phone_without_scrolling_sideways(report: Page):
    report.set_viewport_size(PHONE)

    assert report.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_on_paper_nothing_is_cut_off(report: Page):
    report.set_viewport_size(A4_WITHOUT_MARGINS)
    report.emulate_media(media="print")

    too_wide = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.textContent.trim())"
    assert report.locator("body, main, section, .scroll, .issues").evaluate_all(too_wide) == []


def test_printed_it_has_every_table(report: Page):
    tables = report.get_by_role("table").count()
    headings = report.get_by_role("heading", level=2).all_inner_texts()

    pdf = report.pdf(format="A4", tagged=True, outline=True).decode("latin-1")

    assert pdf.startswith("%PDF-")
    # What is inside is compressed; its structure, for who has it read out, is not.
    assert len(re.findall(r"/S\s*/Table\b", pdf)) == tables
    for heading in headings:
        assert f"({heading})" in pdf
    assert len(re.findall(r"/Type\s*/Page\b", pdf)) > len(TABLES)
