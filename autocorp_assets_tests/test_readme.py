"""What the README tells a stranger to type exists and works."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from autocorp_assets.cli.main import app
from autocorp_assets.settings import PROJECT_FOLDER, AwsSettings, Settings

README = (PROJECT_FOLDER / "README.md").read_text()
AWS = (PROJECT_FOLDER / "docs" / "aws.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
AUTOCORP = ".venv/bin/autocorp "


def documented(row: str) -> Iterator[tuple[str, list[str]]]:
    """(command, its options) of a row of the command table."""
    command, does = row.strip("| ").split(" | ", 1)
    first, *rest = re.findall(r"`([^`]+)`", command)
    words = first.removeprefix("autocorp ").split()
    names = [words, *([words[0], other] for other in rest)]
    options = re.findall(r"`(--[a-z-]+)", does)
    for name in names:
        yield " ".join(word for word in name if word.islower()), options


TABLE = re.findall(r"^\| `autocorp .*$", README, re.MULTILINE)
COMMANDS = [entry for row in TABLE for entry in documented(row)]


@pytest.mark.parametrize(("command", "options"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_each_documented_command_has_its_options_and_examples(command, options):
    found = get_command(app)
    for word in command.split():
        assert isinstance(found, TyperGroup)
        found = found.commands[word]

    known = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert set(options) <= known
    assert found.help
    assert found.epilog or not options


def test_every_command_is_documented():
    group = get_command(app)

    assert isinstance(group, TyperGroup)
    assert {command.split()[0] for command, _ in COMMANDS} == set(group.commands)


def test_make_targets_exist():
    makefile = (PROJECT_FOLDER / "Makefile").read_text()
    targets = {word for line in LINES if line.startswith("make ") for word in [line.split()[1]]}

    assert {"demo", "dev", "test", "lint"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_documented_settings_are_all_there_are():
    assert settings_in(README) == {f"AUTOCORP_{field.upper()}" for field in Settings.model_fields}


def test_settings_of_aws_are_documented_where_it_is_described():
    named = {name for name in settings_in(AWS) if name.startswith("AUTOCORP_AWS_")}

    assert named == {f"AUTOCORP_AWS_{field.upper()}" for field in AwsSettings.model_fields}


def settings_in(text: str) -> set[str]:
    return set(re.findall(r"`(AUTOCORP_[A-Z_]+)(?:=\w+)?`", text))


def test_linked_files_exist():
    for link in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (PROJECT_FOLDER / link).exists()
