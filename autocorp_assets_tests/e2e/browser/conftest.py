"""One platform and one browser for all tests that look at pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from autocorp_assets_tests.e2e.browser.chromium import run_chromium
from autocorp_assets_tests.e2e.browser.stage import Stage, run_stage
from autocorp_assets_tests.e2e.conftest import Demo

DEADLINE_MILLISECONDS = 60_000
"""Of everything that a page is waited for; most of it is there in one second."""
PICTURE_ROUNDS = 3
"""Of business, so that plots of a picture have a shape."""

Picture = Callable[..., None]


# Not for the session: while Playwright runs, no other test of the process could run an event loop.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=DEADLINE_MILLISECONDS)
    with run_chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def stage(
    chromium: Browser, demo: Demo, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The platform on a copy of the demo, which has taken in exports with dirt, and changes; orders break rules."""
    base = tmp_path_factory.mktemp("browser")
    folder = demo.folder.copy(base / "home")
    with run_stage(folder, output=base / "dev.log") as stage:
        if pytestconfig.getoption("--screenshots"):
            for seed in range(PICTURE_ROUNDS):
                stage.do_business(orders=25 + 20 * (seed % 3), seed=seed)
        stage.make_mistakes()
        if pytestconfig.getoption("--screenshots"):
            stage.come_to_rest()
        yield stage
    for process in folder.processes():
        process.kill()
    folder.remove()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page of a browser that has never been here."""
    with chromium.new_context(viewport={"width": 1280, "height": 900}, timezone_id="UTC", locale="en-US") as context:
        context.set_default_timeout(DEADLINE_MILLISECONDS)
        yield context.new_page()


@pytest.fixture
def picture(pytestconfig: pytest.Config) -> Picture:
    """Saves what a page shows, where pictures are asked for (`--screenshots`)."""
    folder: str | None = pytestconfig.getoption("--screenshots")

    def take(page: Page, name: str) -> None:
        if folder is not None:
            page.mouse.move(0, 0)  # what lies under it is highlighted
            page.evaluate("Promise.all(document.getAnimations().map(one => one.finished))")
            page.screenshot(path=Path(folder) / f"{name}.png")

    return take
