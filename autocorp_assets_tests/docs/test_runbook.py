"""docs/runbook.md knows every alert, check and error of the code, and each of its commands can be typed."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator

import psycopg
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import LakeFormat
from autocorp_assets.definitions import defs
from autocorp_assets.operations.checks_reference import described_checks
from autocorp_assets_tests.docs.page import doc, parse
from autocorp_assets_tests.docs.said import alert_subjects, errors, modules, says

RUNBOOK = doc("runbook.md")
NOT_FOR_PEOPLE = {
    "StillChangingError": "the file waits for the next look",
}
CHECKS = {check.name for check in described_checks(defs)}
ERROR_SECTIONS = RUNBOOK.text.split("\n## Errors\n")[1].split("\n## Checks\n")[0]
QUOTED_MESSAGES = re.findall(r"^\| `([^`]+)` \|", ERROR_SECTIONS, re.MULTILINE)


@pytest.mark.parametrize("command", RUNBOOK.commands)
def test_each_command_can_be_typed(command):
    parse(command)


@pytest.mark.parametrize("line", [line for line in RUNBOOK.shell_lines if line.startswith("aws ")])
def test_each_command_of_aws_exists_with_its_options(line):
    import botocore.session
    from botocore import xform_name

    _, service, operation, *words = shlex.split(line)
    model = botocore.session.get_session().get_service_model(service)
    shapes = {xform_name(name, "-"): model.operation_model(name).input_shape for name in model.operation_names}

    assert {f"--{xform_name(member, '-')}" for member in shapes[operation].members} >= {
        word for word in words if word.startswith("--")
    }


@pytest.mark.parametrize("line", [line for line in RUNBOOK.shell_lines if "psql -c" in line])
def test_each_statement_is_one_of_postgresql(line, database):
    statement = shlex.split(line)[-1]

    with psycopg.connect(database) as connection:
        assert connection.execute(f"EXPLAIN {statement}".encode()).fetchall()


def test_everything_in_its_blocks_is_tested():
    assert all(line.startswith(("autocorp ", "aws ")) for line in RUNBOOK.shell_lines)


def test_each_alert_has_a_section():
    assert alert_subjects() >= {"Replication is down", "Over: …"}
    assert {subject for subject in alert_subjects() if f"### `{subject}`" not in RUNBOOK.text} == set()


def test_no_alert_is_sent_under_a_subject_that_is_no_constant():
    sent = [subject for module in modules("autocorp_assets/automation") for subject in subjects_sent(module)]

    assert sent
    assert [subject for subject in sent if isinstance(subject, ast.JoinedStr | ast.Constant)] == []


def subjects_sent(module: ast.Module) -> Iterator[ast.expr]:
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "send":
            yield from (given.value for given in call.keywords if given.arg == "subject")


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_each_check_has_an_entry(check):
    assert re.search(rf"^\| `{check}` \|", RUNBOOK.text.split("\n## Checks\n")[1], re.MULTILINE)


def test_no_check_is_told_of_that_there_is_not():
    table = RUNBOOK.text.split("\n## Checks\n")[1].split("\n## ")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == CHECKS


@pytest.mark.parametrize("error", sorted(errors() - set(NOT_FOR_PEOPLE)))
def test_each_error_is_told_of(error):
    assert f"`{error}`" in ERROR_SECTIONS


@pytest.mark.parametrize("message", QUOTED_MESSAGES)
def test_what_an_error_is_quoted_as_saying_is_what_the_code_says(message):
    assert says(message)


def test_links_lead_somewhere():
    assert RUNBOOK.broken_links() == []


def test_tables_in_examples_are_there():
    assert {word for line in RUNBOOK.shell_lines for word in line.split() if word in TABLES} == set(TABLES)
    assert all(f"lake/curated/{format_}/<table>" in RUNBOOK.text for format_ in LakeFormat)
