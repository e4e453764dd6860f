"""Which commands there are in which deployment."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import table_prefix
from autocorp_assets.operations import instance as instances
from autocorp_assets.operations import platform
from autocorp_assets.resources.aws.s3_place import S3Place
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.account import build_account
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws


@pytest.fixture
def on_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.delenv("AUTOCORP_DEBUG", raising=False)
    monkeypatch.setenv("AUTOCORP_DEPLOYMENT", "aws")
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", f"s3://{LAKE_BUCKET}/lake")
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    return Settings()


@pytest.mark.parametrize(
    "command",
    [
        ["source", "start"],
        ["source", "stop"],
        ["source", "dsn"],
        ["source", "psql"],
        ["simulate"],
        ["exports"],
        ["demo"],
        ["torture"],
    ],
)
def test_what_is_local_says_so_and_what_to_do_instead(on_aws: Settings, command: list[str]):
    result = CliRunner().invoke(app, command)

    name = " ".join(command)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: `autocorp {name}` is of the local deployment, and AUTOCORP_DEPLOYMENT=aws")
    assert f"AUTOCORP_DEPLOYMENT=local autocorp {name}" in result.stderr
    assert not list(on_aws.home_folder.iterdir())


def test_dev_runs_dagster_alone(on_aws: Settings, monkeypatch: pytest.MonkeyPatch):
    @contextmanager
    def nothing_else(*_, **__):
        pytest.fail("a local part was started")
        yield

    monkeypatch.setattr(platform, "open_source", nothing_else)
    monkeypatch.setattr(platform, "_archive", nothing_else)
    started = SimpleNamespace(stop=lambda: None, poll=lambda: None, pid=os.getpid())
    monkeypatch.setattr(platform, "_dagster", lambda *_: started)
    monkeypatch.setattr(platform, "wait_until_ready", lambda *_: None)
    said: list[str] = []

    with platform.run_platform(on_aws, port=0, say=said.append) as running:
        assert running.source is None
        assert len(running.kept) == 1

    assert said[0].startswith(f"lake s3://{LAKE_BUCKET}/lake")


def test_an_instance_that_is_shared_is_used_as_it_is_configured(on_aws: Settings, monkeypatch, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(shared))

    assert instances.prepare_home(on_aws) == shared

    assert (shared / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    assert not on_aws.dagster_folder.exists()


def test_without_a_shared_one_the_instance_is_the_data_folder_s(on_aws: Settings, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")

    assert instances.prepare_home(on_aws) == on_aws.dagster_folder
    assert instances.prepare_home(Settings()) == on_aws.dagster_folder


@pytest.mark.aws
def test_status_reads_the_lake_in_s3_and_asks_dms(aws: FakeAws, on_aws: Settings, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from autocorp_assets.lake.file_system import open_file_system

    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    build_account(on_aws).task.status = "ready"
    file_system, root = open_file_system(on_aws.lake)
    day = f"{root}/{table_prefix('auto_parts')}/2024/11/21"
    pq.write_table(pa.table({"sku": ["A-1"]}), f"{day}/20241121-103005123.parquet", filesystem=file_system)

    result = CliRunner().invoke(app, ["status", "--json"])

    assert result.exit_code == 0, result.stderr
    status = json.loads(result.stdout)
    assert status["replication"]["running"] is False
    assert "DMS task autocorp" in status["replication"]["summary"]
    assert {table["table"]: table["rows"] for table in status["tables"]} == dict.fromkeys(TABLES)


@pytest.mark.aws
def test_rows_and_age_of_files_in_s3(aws: FakeAws, on_aws: Settings):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from autocorp_assets.lake.file_system import open_file_system
    from autocorp_assets.lake.row_count import row_count
    from autocorp_assets.lake.storage import LakeStorage

    lake = LakeStorage(on_aws.lake)
    file_system, root = open_file_system(on_aws.lake)
    for name, count in {"a": 2, "b": 3}.items():
        pq.write_table(pa.table({"n": list(range(count))}), f"{root}/{name}.parquet", filesystem=file_system)

    assert row_count(f"{on_aws.lake}/{name}.parquet" for name in "ab") == 5
    written = lake.oldest(["a.parquet", "gone.parquet"])
    assert written is not None
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)
    assert lake.oldest([]) is None
    assert {one.path for one in S3Place.of(str(on_aws.lake)).objects()} == {"a.parquet", "b.parquet"}
