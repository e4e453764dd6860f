"""One small demo for all tests of the whole platform."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from autocorp_assets_tests.e2e.data_folder import DataFolder

CUSTOMERS = 2000
ORDERS = 300


class Demo(NamedTuple):
    """A demo that has ended. Tests that change its folder copy it first."""

    folder: DataFolder
    ended: subprocess.CompletedProcess[str]
    report: dict[str, Any]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    base = tmp_path_factory.mktemp("demo")
    folder, report = DataFolder(base / "home"), base / "report.json"
    sizes = ("--customers", str(CUSTOMERS), "--orders", str(ORDERS))
    ended = folder.run("demo", *sizes, "--json", report, timeout=400)
    assert report.exists(), ended.stderr
    return Demo(folder, ended, json.loads(report.read_text()))


@pytest.fixture
def folder(demo: Demo, tmp_path: Path) -> Iterator[DataFolder]:
    """A copy of the demo's data folder."""
    copy = demo.folder.copy(tmp_path / "home")
    yield copy
    for process in copy.processes():
        process.kill()
    copy.remove()
