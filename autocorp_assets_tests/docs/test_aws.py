"""docs/aws.md: what it tells people to type can be typed, and its links lead somewhere."""

from __future__ import annotations

import pytest

from autocorp_assets_tests.docs.page import doc, parse

PAGE = doc("aws.md")


@pytest.mark.parametrize("command", PAGE.commands)
def test_each_command_can_be_typed(command):
    parse(command)


def test_the_rest_of_its_blocks_only_sets_what_has_to_be_set():
    others = [line for line in PAGE.shell_lines if not line.startswith("autocorp ")]

    assert [line.split("=")[0] for line in others] == [
        "export AUTOCORP_DEPLOYMENT",
        "export AUTOCORP_AWS_LAKE",
    ]


def test_links_lead_somewhere():
    assert PAGE.broken_links() == []
