"""dagster.yaml and dagster-production.yaml: what they promise holds of the instance that Dagster makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from psycopg import conninfo

from autocorp_assets.asset_keys import LAKE_WRITER
from autocorp_assets.raw.database import DEADLINE_SECONDS as REPLICATION_SECONDS
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.datasync_transfer import DEADLINE_SECONDS as TRANSFER_SECONDS
from autocorp_assets.resources.aws.glue_job import STOP_SECONDS
from autocorp_assets.settings import PROJECT_FOLDER, AwsSettings
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

LOCAL, PRODUCTION = PROJECT_FOLDER / "dagster.yaml", PROJECT_FOLDER / "dagster-production.yaml"
FILES = [LOCAL, PRODUCTION]


def told(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_dagster_knows_every_setting(file: Path, tmp_path: Path):
    (tmp_path / "dagster.yaml").write_text(file.read_text(encoding="utf-8"), encoding="utf-8")

    validated, _ = dagster_instance_config(str(tmp_path))

    assert set(told(file)) <= set(validated)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nobody_is_told_of_the_platform_and_one_writes_at_a_time(file: Path):
    said = told(file)

    assert said["telemetry"] == {"enabled": False}
    assert said["concurrency"]["pools"] == {"default_limit": 1, "granularity": "op"}
    assert said["run_monitoring"]["enabled"]
    assert said["freshness"]["enabled"]
    assert not said["run_retries"]["retry_on_asset_or_op_failure"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_ticks_of_no_kind_are_kept_for_ever(file: Path):
    retention = told(file)["retention"]

    assert set(retention) == {"sensor", "schedule", "auto_materialize"}
    for kind in retention.values():
        assert set(kind["purge_after_days"]) == {"skipped", "success", "failure", "started"}
        assert all(0 < days <= 30 for days in kind["purge_after_days"].values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_block_gives_a_reason_or_takes_the_local_ones(file: Path):
    blocks = [block for block in file.read_text(encoding="utf-8").split("\n\n") if not block.startswith("#")]
    local = told(LOCAL)

    for block in blocks:
        name, said = next(iter(yaml.safe_load(block).items()))
        assert "#" in block or (file is PRODUCTION and said == local[name]), name


def test_in_production_a_run_may_take_as_long_as_what_it_waits_for():
    monitoring = told(PRODUCTION)["run_monitoring"]
    longest_job = AwsSettings.model_fields["job_deadline_minutes"].default * 60

    assert monitoring["max_runtime_seconds"] >= 2 * max(longest_job, TRANSFER_SECONDS, REPLICATION_SECONDS)
    assert monitoring["cancel_timeout_seconds"] > STOP_SECONDS


@dg.asset
def counted() -> int:
    print("told by the step")  # noqa: T201 the compute log
    return 1


@pytest.mark.aws
def test_in_production_any_machine_sees_runs_ticks_and_logs(
    database: str, aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    one, other = (_machine(tmp_path / name, database, monkeypatch) for name in ("one", "other"))

    with dg.DagsterInstance.from_config(str(one)) as here, dg.DagsterInstance.from_config(str(other)) as there:
        run = dg.materialize([counted], instance=here)

        assert run.success
        assert [found.run_id for found in there.get_runs()] == [run.run_id]
        assert there.get_latest_materialization_event(counted.key)
        here.event_log_storage.initialize_concurrency_limit_to_default(LAKE_WRITER)
        assert there.event_log_storage.claim_concurrency_slot(LAKE_WRITER, run.run_id, "curate").is_claimed
        assert not here.event_log_storage.claim_concurrency_slot(LAKE_WRITER, "another", "curate").is_claimed
    assert not list(one.rglob("*.db"))
    assert b"told by the step\n" in list(_logs())


def _logs() -> Iterator[bytes]:
    """What runs have said, as it is in the bucket."""
    s3 = client("s3")
    for found in s3.list_objects_v2(Bucket=LAKE_BUCKET, Prefix="dagster/").get("Contents", ()):
        yield s3.get_object(Bucket=LAKE_BUCKET, Key=found["Key"])["Body"].read()


def _machine(home: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with production's file, which differs only in that the test's PostgreSQL has no TLS."""
    parameters = conninfo.conninfo_to_dict(database)
    variables = {
        "DAGSTER_POSTGRES_HOST": parameters["host"],
        "DAGSTER_POSTGRES_DB": parameters["dbname"],
        "DAGSTER_POSTGRES_USER": parameters["user"],
        "DAGSTER_POSTGRES_PASSWORD": _password(parameters),
        "DAGSTER_LOGS_BUCKET": LAKE_BUCKET,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    said = told(PRODUCTION)
    server = said["storage"]["postgres"]["postgres_db"]
    server["port"] = int(str(parameters["port"]))
    server["params"] = {}
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    return home


def _password(parameters: Mapping[str, Any]) -> str:
    """Of libpq's password file, whose lines are host:port:database:user:password."""
    return Path(parameters["passfile"]).read_text(encoding="utf-8").splitlines()[0].split(":", 4)[4]
