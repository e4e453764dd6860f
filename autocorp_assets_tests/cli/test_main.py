import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from autocorp_assets.cli.main import DEBUG_VARIABLE, OneLineErrors, app
from autocorp_assets.operations.sync import SyncError

runner = CliRunner()
HEAVY = ("dagster", "pyspark", "polars", "pandera", "duckdb", "deltalake", "pyarrow", "psycopg", "numpy", "faker")


@pytest.fixture(autouse=True)
def no_debugging(monkeypatch):
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)


def test_help_names_the_commands():
    result = runner.invoke(app, ["--help"])

    assert result.exit_code == 0
    for command in ("source", "sync", "status"):
        assert command in result.output


def test_the_command_line_starts_without_anything_heavy():
    code = f"import sys, autocorp_assets.cli.main; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.split() == []


def failing(error: BaseException) -> typer.Typer:
    commands = typer.Typer(cls=OneLineErrors, pretty_exceptions_enable=False)

    @commands.callback()
    def root() -> None:
        """Makes it a group, as `autocorp` is."""

    @commands.command()
    def fail() -> None:
        raise error

    return commands


def test_our_errors_are_one_message_on_stderr():
    result = runner.invoke(failing(SyncError("no table orders; there are customers")), ["fail"])

    assert result.exit_code == 1
    assert result.stderr == "error: no table orders; there are customers\n"
    assert result.stdout == ""


def test_other_errors_tell_their_kind_and_how_to_see_more():
    result = runner.invoke(failing(KeyError("sku")), ["fail"])

    assert result.exit_code == 1
    assert result.stderr.startswith("error: KeyError: 'sku'")
    assert "--verbose" in result.stderr


def test_who_asks_for_it_gets_the_traceback(monkeypatch):
    monkeypatch.setenv(DEBUG_VARIABLE, "1")

    assert isinstance(runner.invoke(failing(KeyError("sku")), ["fail"]).exception, KeyError)


def test_wrong_usage_is_told_as_usage():
    result = runner.invoke(app, ["sync", "--nonsense"])

    assert result.exit_code == 2
    assert "--nonsense" in result.stderr


def test_ctrl_c_is_told_and_has_its_exit_code():
    result = runner.invoke(failing(KeyboardInterrupt()), ["fail"])

    assert result.exit_code == 130
    assert "interrupted" in result.stderr
