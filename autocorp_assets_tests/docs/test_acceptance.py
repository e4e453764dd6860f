"""docs/acceptance.md: every scenario of the design has its command and its tests, and all of them exist."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec

import pytest

from autocorp_assets.settings import PROJECT_FOLDER
from autocorp_assets_tests.docs.page import doc, parse

PAGE = doc("acceptance.md")
SCENARIOS = {
    "Full load",
    "Change data capture",
    "CSV exports",
    "Queries",
    "Upsert into Hudi",
    "Time travel in Delta",
    "Schema evolution",
    "Duplicates",
    "Nulls",
    "Large orders",
    "Interruptions",
    "Concurrent updates",
}
"""Of sections 6 and 7 of the design that the platform was built to."""
SECTIONS = dict(section.split("\n", 1) for section in re.split(r"^### ", PAGE.text, flags=re.MULTILINE)[1:])
TESTS = [text for text in PAGE.quoted if text.startswith("autocorp_assets_tests/")]
FIGURES = re.findall(r"^\| .* \| (.*) \| `(\w+)` \|$", PAGE.text, re.MULTILINE)


def test_every_scenario_has_a_command_and_a_test():
    assert set(SECTIONS) == SCENARIOS
    for name, section in SECTIONS.items():
        assert "```sh\n" in section, name
        assert "`autocorp_assets_tests/" in section, name


@pytest.mark.parametrize("test", TESTS)
def test_each_test_that_it_names_exists(test):
    path, _, name = test.partition("::")
    module = ast.parse((PROJECT_FOLDER / path).read_text(encoding="utf-8"))
    found = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}

    assert name in found if name else any(function.startswith("test_") for function in found)


@pytest.mark.parametrize("command", PAGE.commands)
def test_each_command_can_be_typed(command):
    parse(command)


def test_the_rest_of_its_blocks_can_be_run():
    others = [line for line in PAGE.shell_lines if not line.startswith("autocorp ")]

    assert others == ["make demo", ".venv/bin/python -m benchmarks.acceptance"]
    assert find_spec("benchmarks.acceptance")


def test_each_figure_is_one_that_the_benchmark_prints():
    benchmark = (PROJECT_FOLDER / "benchmarks" / "acceptance.py").read_text(encoding="utf-8")

    assert len(FIGURES) == 5
    for _, key in FIGURES:
        assert f'"{key.removesuffix("_most")}"' in benchmark


def test_links_lead_somewhere():
    assert PAGE.broken_links() == []
