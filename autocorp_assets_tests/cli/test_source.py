"""`autocorp source`: the embedded PostgreSQL from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.source import app
from autocorp_assets.local.source.launch import installed_programs, server_environment
from autocorp_assets.settings import PROJECT_FOLDER


def run(*arguments: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from autocorp_assets.cli.main import app; app()", "source", *arguments],
        cwd=PROJECT_FOLDER,
        env={**os.environ, "AUTOCORP_HOME": str(home), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data folder whose database `autocorp source start` has made and started."""
    home = tmp_path_factory.mktemp("home")
    before = run("dsn", home=home)
    assert before.returncode == 1
    assert "autocorp source start" in before.stderr
    started = run("start", home=home)
    assert started.returncode == 0, started.stderr
    yield home
    assert run("stop", home=home).stdout == "PostgreSQL has stopped.\n"
    assert run("stop", home=home).stdout == "PostgreSQL was not running.\n"


def test_the_server_stays_up_after_start_and_starting_again_is_harmless(home: Path) -> None:
    assert "was running already" in run("start", home=home).stdout


def test_dsn_prints_what_psql_takes(home: Path) -> None:
    printed = run("dsn", home=home)
    assert len(printed.stdout.splitlines()) == 1

    said = subprocess.run(
        [installed_programs() / "psql", printed.stdout.strip(), "-Atc", "SELECT current_database()"],
        env=server_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "autocorp\n"


def test_psql_gets_our_arguments_and_we_its_exit_code(home: Path) -> None:
    assert int(run("psql", "-At", "-c", "SELECT count(*) FROM customers", home=home).stdout) > 0
    assert run("psql", "-v", "ON_ERROR_STOP=1", "-c", "SELECT 1/0", home=home).returncode == 1


def test_a_source_of_ones_own_is_neither_started_nor_shown_with_its_password(tmp_path: Path) -> None:
    variables = {"AUTOCORP_SOURCE_DSN": "postgresql://reader:geheim@localhost/shop"}

    started = run("start", home=tmp_path, **variables)
    assert started.returncode == 1
    assert "AUTOCORP_SOURCE_DSN is set" in started.stderr
    printed = run("dsn", home=tmp_path, **variables)
    assert "dbname=shop" in printed.stdout
    assert "geheim" not in printed.stdout + printed.stderr + started.stderr


@pytest.mark.parametrize("command", ["start", "stop", "dsn", "psql"])
def test_every_command_shows_an_example(command: str) -> None:
    assert "Example" in CliRunner().invoke(app, [command, "--help"]).output
