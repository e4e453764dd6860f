import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES
from autocorp_assets.settings import Settings
from autocorp_assets_tests.curated.conftest import PARTS, load
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory; the data folder is empty."""
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path / "home"))
    working = tmp_path / "work"
    working.mkdir()
    monkeypatch.chdir(working)
    return working


def report(*arguments: str):
    return CliRunner().invoke(app, ["report", *arguments])


def test_it_writes_todays_page_here_and_prints_its_path(folder):
    result = report()

    path = folder / f"report-{datetime.now(UTC):%Y-%m-%d}.html"
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>\n")
    assert list(folder.iterdir()) == [path]


def test_an_empty_lake_says_what_to_run_and_nothing_is_made(folder):
    result = report("--output", "-")

    assert result.stdout.startswith("<!doctype html>\n")
    assert "The lake is empty" in result.stdout
    assert "<code>autocorp sync</code>" in result.stdout
    assert list(folder.iterdir()) == []
    assert not Settings().home_folder.exists()


def test_it_writes_where_it_is_told(folder):
    assert report("--output", "reports/lake.html", "--days", "3").exit_code == 0

    page = (folder / "reports" / "lake.html").read_text(encoding="utf-8")
    assert "(3 days, UTC)" in page


def test_json_is_for_scripts(folder):
    lake = Settings().lake_folder
    load(lake, TABLES["auto_parts"], PARTS)
    ledger = LedgerWriter(lake)
    kept_out = {"file": "raw/database/auto_parts/LOAD00000001.parquet", "position": 0, "reasons": ["price: no"]}
    ledger.quarantine("db-1", kept_out, revision=1)
    ledger.commit(Checkpoint(revision=1, generation=1))

    value = json.loads(report("--json").stdout)

    assert [answer["question"] for answer in value["answers"]] == ["fresh", "complete", "correct"]
    assert {"state", "headline", "issues"} <= value.keys()
    table = value["report"]["tables"][0]
    assert (table["table"], table["exists"], table["quarantine"]["rows"]) == ("auto_parts", True, 1)
    assert "1 row kept out, in quarantine" in [issue["what"] for issue in value["issues"]]
    assert list(folder.iterdir()) == []


def test_days_are_bounded(folder):
    assert report("--days", "0").exit_code == 2
