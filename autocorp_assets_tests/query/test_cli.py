"""`autocorp query`: what goes to stdout, what to stderr, and with which exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner, Result

from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def lake(home: Path) -> Path:
    parts = pa.table(
        {
            "sku": [f"P{number:03d}" for number in range(150)],
            "name": ["Pad, \"front\"", "Oil\x1b[31m"] * 75,
            "price": pa.array([Decimal("1234.50"), None] * 75, pa.decimal128(10, 2)),
            "changed_at": pa.array([datetime(2024, 11, 21, 10, 30, tzinfo=UTC)] * 150, pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip
    write_deltalake(home / "lake" / TABLES["auto_parts"].lake_path, parts)
    return home / "lake"


def query(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["query", *arguments], input=stdin)


FIRST = "SELECT sku, name, price, changed_at FROM autocorp_lake.auto_parts ORDER BY sku LIMIT 2"


def test_without_a_lake_it_says_what_to_run(home: Path):
    result = query("SELECT 1")
    assert result.exit_code == 1
    assert "nothing has been curated yet" in result.stderr
    assert "autocorp sync" in result.stderr
    assert result.stdout == ""


def test_a_table_shows_the_first_rows_and_how_many_there_are(lake: Path):
    result = query("SELECT sku FROM auto_parts ORDER BY sku")
    assert result.exit_code == 0
    assert "P099" in result.stdout
    assert "P100" not in result.stdout
    assert "150 rows" in result.stderr
    assert "the first 100 are shown, --limit 0 shows all" in result.stderr
    assert "P149" in query("SELECT sku FROM auto_parts", "--limit", "0").stdout


def test_whoever_is_no_terminal_gets_whole_lines(lake: Path):
    columns = ", ".join(f"'{letter * 60}' AS {letter}" for letter in "abcdef")
    lines = query(f"SELECT {columns}").stdout.splitlines()
    assert len(lines) == 5
    assert all(letter * 60 in lines[3] for letter in "abcdef")


def test_a_value_cannot_steer_the_terminal(lake: Path):
    result = query(FIRST)
    assert "Oil" in result.stdout
    assert "\x1b[31m" not in result.stdout


def test_csv_is_complete_and_alone_on_stdout(lake: Path):
    result = query(FIRST, "--format", "csv")
    assert result.stdout.splitlines() == [
        "sku,name,price,changed_at",
        'P000,"Pad, ""front""",1234.50,2024-11-21 10:30:00',
        "P001,Oil\x1b[31m,,2024-11-21 10:30:00",
    ]
    assert len(query("SELECT sku FROM auto_parts", "--format", "csv").stdout.splitlines()) == 151


def test_json_is_a_list_of_objects_that_loses_no_digit(lake: Path):
    assert json.loads(query(FIRST, "--format", "json").stdout) == [
        {"sku": "P000", "name": 'Pad, "front"', "price": "1234.50", "changed_at": "2024-11-21T10:30:00"},
        {"sku": "P001", "name": "Oil\x1b[31m", "price": None, "changed_at": "2024-11-21T10:30:00"},
    ]
    assert json.loads(query("SELECT sku FROM auto_parts WHERE false", "--format", "json").stdout) == []
    assert json.loads(query("SELECT ARRAY[1.5] AS list", "--format", "json").stdout) == [{"list": ["1.5"]}]
    twice = query("SELECT 1 AS a, 2 AS a", "--format", "json")
    assert (twice.exit_code, twice.stdout) == (1, "")
    assert "more than one column is called a" in twice.stderr


def test_the_query_may_come_from_a_file_or_stdin(lake: Path, tmp_path: Path):
    (tmp_path / "question.sql").write_text("-- how many\nSELECT count(*) AS n FROM auto_parts;\n")
    assert query(f"@{tmp_path / 'question.sql'}", "--format", "csv").stdout == "n\n150\n"
    assert query("-", "--format", "csv", stdin="SELECT 2 AS n").stdout == "n\n2\n"
    missing = query("@no_such.sql")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "no_such.sql cannot be read" in missing.stderr


def test_a_mistake_is_told_on_stderr_without_a_traceback(lake: Path):
    for sql in ("SELECT skuu FROM auto_parts", "SELEC 1", "SELECT * FROM auto_partz", "DROP TABLE auto_parts"):
        result = query(sql, "--format", "csv")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("error: ")
        assert "Traceback" not in result.stderr


def test_a_past_moment_is_repeated_and_absent_tables_are_named(lake: Path):
    result = query("SELECT count(*) AS n FROM auto_parts", "--as-of", "2 days ago", "--format", "csv")
    assert result.stdout == "n\n0\n"
    assert "as of " in result.stderr
    assert "auto_parts did not exist then; it is read as empty" in result.stderr
    now = query("SELECT count(*) AS n FROM customers", "--format", "csv")
    assert (now.stdout, now.stderr) == ("n\n0\n", "customers does not exist yet; it is read as empty\n")
    assert "give an ISO date" in query("SELECT 1", "--as-of", "long ago").stderr
