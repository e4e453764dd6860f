"""The system's Chromium, which the tests drive."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    f"there is no browser to drive (none of {', '.join(PROGRAMS)} is on the PATH). On Debian, as root: "
    "apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core"
)


def require_chromium() -> str:
    """Path of the program. Without one the test is skipped, or fails where nobody would read that it was (CI=true)."""
    for program in PROGRAMS:
        if path := shutil.which(program):
            return path
    if os.environ.get("CI") == "true":
        pytest.fail(MISSING, pytrace=False)
    pytest.skip(MISSING)


@contextmanager
def run_chromium() -> Generator[Browser]:
    """One browser without a window."""
    program = require_chromium()
    # Root has no user namespace to put a page into, and the pages are our own.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()
