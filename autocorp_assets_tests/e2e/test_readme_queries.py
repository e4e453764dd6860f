"""The README's queries answer on the lake that the demo leaves."""

from __future__ import annotations

import shlex

import pytest

from autocorp_assets_tests.test_readme import AUTOCORP, LINES

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.timeout(480)]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith(f"{AUTOCORP}query")])
def test_an_example_answers(demo, line):
    ended = demo.folder.run(*shlex.split(line.removeprefix(AUTOCORP)))

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout
