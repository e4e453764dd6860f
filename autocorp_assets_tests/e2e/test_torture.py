"""A short `autocorp torture`: `make torture MINUTES=5` is the long one."""

from __future__ import annotations

import json

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets_tests.e2e.data_folder import DataFolder

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.spark, pytest.mark.timeout(590)]


def test_under_load_and_kills_every_row_ends_in_the_lake(tmp_path):
    work, report_file = tmp_path / "torture", tmp_path / "report.json"
    # Its own data folder, whatever the environment says.
    elsewhere = DataFolder(tmp_path / "elsewhere")

    ended = elsewhere.run(
        "torture", "--minutes", "0.5", "--seed", "8", "--folder", work, "--json", report_file, timeout=560
    )

    report = json.loads(report_file.read_text()) if report_file.exists() else {}
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert report["differences"] == 0
    assert {table["table"] for table in report["tables"]} == set(TABLES)
    assert sum(report["kills"].values()) >= 3
    assert report["changes"] > 1000
    assert report["deliveries"] >= 2
    assert not work.exists(), "nothing is left of a torture that found nothing"
    elsewhere.assert_nothing_runs()
    DataFolder(work / "home").assert_nothing_runs(within_seconds=2)
