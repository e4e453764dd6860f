"""`autocorp query` in the aws deployment: Athena answers, and says what it read; past moments are read from S3."""

from __future__ import annotations

from unittest.mock import patch

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner, Result

from autocorp_assets.cli.main import app
from autocorp_assets.cli.query import data_size
from autocorp_assets.contracts import TABLES
from autocorp_assets_tests.fakes.athena import athena_queries, make_workgroup
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

LAKE = f"s3://{LAKE_BUCKET}/lake"
PARTS = f"{LAKE}/{TABLES['auto_parts'].lake_path}"


@pytest.fixture(autouse=True)
def lake(aws: FakeAws, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    monkeypatch.setenv("AUTOCORP_DEPLOYMENT", "aws")
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", LAKE)
    make_workgroup()
    athena_queries.lake = LAKE
    write_deltalake(PARTS, pa.table({"sku": ["A", "B"], "price": pa.array([1, 2], pa.decimal128(10, 2))}))


def query(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["query", *arguments])


def test_a_table_shows_rows_time_bytes_and_cost():
    result = query("SELECT sku, price FROM auto_parts ORDER BY sku")

    assert result.exit_code == 0
    assert "1.00" in result.stdout
    assert "2 rows in" in result.stderr
    assert " B scanned, about 0.00005 USD" in result.stderr


def test_a_file_has_only_rows_and_the_cost_is_told_beside_it():
    result = query("SELECT sku FROM auto_parts ORDER BY sku", "--format", "csv")

    assert result.stdout == "sku\nA\nB\n"
    assert "scanned, about" in result.stderr


def test_a_past_moment_is_read_from_s3_by_no_athena(aws: FakeAws):
    result = query("SELECT count(*) AS n FROM auto_parts", "--as-of", "2 days ago", "--format", "csv")

    assert result.stdout == "n\n0\n"
    assert "auto_parts did not exist then; it is read as empty" in result.stderr
    assert "scanned" not in result.stderr
    assert not aws.faults.requests["athena:StartQueryExecution"]


@pytest.mark.parametrize("sql", ["SELECT skuu FROM auto_parts", "SELEC 1", "DROP TABLE auto_parts", "SELECT FROM"])
def test_a_mistake_is_told_on_stderr_without_a_traceback(sql: str):
    result = query(sql, "--format", "csv")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


def test_ctrl_c_cancels_the_query():
    athena_queries.holds = True

    with patch("tenacity.nap.time.sleep", side_effect=KeyboardInterrupt):
        result = query("SELECT 1")
    assert result.exit_code == 130
    assert [one.state for one in athena_queries.executions.values()] == ["CANCELLED"]


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (10**9, "1.0 GB"), (25 * 10**15, "25,000.0 TB")]
)
def test_sizes_are_short(count: int, told: str):
    assert data_size(count) == told
