"""The code location of the aws deployment loads without AWS, and says in one message what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autocorp_assets_tests.test_definitions import HEAVY

NOBODY = "http://127.0.0.1:9"
LOAD = f"""
import sys
import autocorp_assets.definitions as code
print(*[module for module in {HEAVY!r} if module in sys.modules])
print(*[sensor.name for sensor in code.defs.get_repository_def().sensor_defs])
"""


def load(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOCORP_", "AWS_"))}
    given = {"AUTOCORP_DEPLOYMENT": "aws", "AUTOCORP_HOME": str(tmp_path), "AWS_ENDPOINT_URL": NOBODY, **environment}
    return subprocess.run(
        [sys.executable, "-c", LOAD], env={**inherited, **given}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("shared", [False, True])
def test_it_loads_without_a_word_to_aws_and_watches_its_own_runs_only(tmp_path, shared):
    home = str(tmp_path / "shared") if shared else ""

    loaded = load(tmp_path, AUTOCORP_AWS_LAKE="s3://autocorp-lake/lake", DAGSTER_HOME=home)

    assert loaded.returncode == 0, loaded.stderr
    heavy, sensors = loaded.stdout.splitlines()
    assert heavy == ""
    assert {"platform_metrics", "run_failures", "replication_status"} <= set(sensors.split())
    assert ("dead_runs" in sensors.split()) is not shared


def test_without_a_lake_it_says_so_without_pydantic(tmp_path):
    loaded = load(tmp_path)

    assert loaded.returncode != 0
    assert "SettingsError: AUTOCORP_AWS_LAKE is not set" in loaded.stderr
    assert "ValidationError" not in loaded.stderr
