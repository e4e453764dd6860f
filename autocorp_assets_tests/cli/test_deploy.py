"""`autocorp deploy`: what it does, once; what it says it would do; what waits."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES
from autocorp_assets.operations.deploy import DATABASES
from autocorp_assets.query.athena_views import athena_views
from autocorp_assets.resources.aws.athena_ddl import AthenaDdl
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.account import build_account
from autocorp_assets_tests.fakes.athena import QueryFailure, athena_queries
from autocorp_assets_tests.fakes.athena_ddl import view_query
from autocorp_assets_tests.fakes.catalog_entries import DELTA, HUDI, enter_hudi, write_delta
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws
VIEWS = {view.name for view in athena_views()}


@pytest.fixture
def account(aws_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Infrastructure without databases, and without the job's code; a lake of all tables."""
    monkeypatch.setattr("autocorp_assets.deployments.aws.AthenaDdl", partial(AthenaDdl, poll_seconds=0.01))
    monkeypatch.setenv("AUTOCORP_DEPLOYMENT", "aws")
    build_account(aws_settings)
    for name in DATABASES:
        client("glue").delete_database(Name=name)
    lake, bucket = str(aws_settings.lake), str(aws_settings.lake).split("/")[2]
    for entry in client("s3").list_objects_v2(Bucket=bucket)["Contents"]:
        client("s3").delete_object(Bucket=bucket, Key=entry["Key"])
    for name in DELTA:
        write_delta(lake, name)
    return aws_settings


def enter_all_hudi(settings: Settings) -> None:
    client("glue").create_database(DatabaseInput={"Name": "autocorp_lake"})
    for name in HUDI:
        enter_hudi(str(settings.lake), name)


def deploy(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["deploy", *arguments])


def views() -> dict[str, dict]:
    return {table["Name"]: table for table in client("glue").get_tables(DatabaseName="autocorp")["TableList"]}


def test_everything_is_made_and_a_second_time_nothing_is_changed(aws: FakeAws, account: Settings):
    enter_all_hudi(account)

    first = deploy()

    assert first.exit_code == 0, first.output
    assert set(views()) == VIEWS
    assert "database autocorp is made" in first.stdout
    assert "view autocorp.customer is made" in first.stdout
    assert "table autocorp_lake.auto_parts is entered in Glue's catalog" in first.stdout
    assert f"is put below {account.lake}" in first.stdout
    assert "UNION ALL" in view_query(views()["customer"])
    assert views()["customers"]["Description"] == TABLES["customers"].description
    aws.faults.requests.clear()

    second = deploy()

    assert (second.exit_code, second.stdout) == (0, "nothing to do: the account is at this release\n")
    assert {name: n for name, n in aws.faults.requests.items() if not name.startswith("s3")} == {"glue:GetTables": 2}


def test_a_dry_run_says_the_same_and_changes_nothing(aws: FakeAws, account: Settings):
    enter_all_hudi(account)
    aws.faults.requests.clear()

    said = deploy("--dry-run")

    assert said.exit_code == 0
    assert {name for name in aws.faults.requests if name.startswith(("glue", "athena"))} == {"glue:GetTables"}
    assert not aws.faults.requests["s3:PUT"]
    would = [line.removeprefix("would be done: ") for line in said.stdout.splitlines()]
    assert deploy().stdout.splitlines() == would


def test_views_wait_for_tables_that_do_not_exist_yet(account: Settings):
    said = deploy()

    assert said.exit_code == 0
    assert (
        "view autocorp.customer waits for customers, which the first curation brings: run this again then"
        in said.stderr
    )
    assert set(views()) == {*DELTA, "v_service_with_parts"}


def test_only_a_view_that_is_no_longer_ours_is_made_anew(account: Settings):
    enter_all_hudi(account)
    deploy()
    by_hand = "CREATE OR REPLACE VIEW autocorp.service AS SELECT serviceid FROM autocorp_lake.service"
    client("athena").start_query_execution(QueryString=by_hand, WorkGroup="autocorp")

    said = deploy()

    assert said.stdout.splitlines() == ["view autocorp.service is replaced"]
    assert "labor_minutes" in view_query(views()["service"])


def test_a_view_that_nobody_here_made_is_left_alone(account: Settings):
    enter_all_hudi(account)
    deploy()
    client("glue").create_table(DatabaseName="autocorp", TableInput={"Name": "mine", "TableType": "VIRTUAL_VIEW"})

    said = deploy()

    assert "autocorp.mine is no view of this release: it is left alone" in said.stderr
    assert "mine" in views()


def test_what_fails_is_told_and_the_rest_is_done(account: Settings):
    enter_all_hudi(account)
    athena_queries.failures.append(QueryFailure(reason="Insufficient permissions", category=2))

    said = deploy()

    assert said.exit_code == 1
    assert "error: table autocorp_lake.auto_parts is entered in Glue's catalog: Insufficient permissions" in said.stderr
    assert "customer" in views()
    assert deploy().exit_code == 0
    assert set(views()) == VIEWS


def test_a_wrong_file_is_told_also_by_a_dry_run_and_the_rest_is_done(
    account: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "torn.sql").write_text("CREATE OR REPLACE VIEW autocorp.torn AS SELECT (")
    monkeypatch.setattr("autocorp_assets.operations.deploy.athena_views", lambda: athena_views(tmp_path))

    would, said = deploy("--dry-run"), deploy()

    assert (would.exit_code, said.exit_code) == (1, 1)
    for result in (would, said):
        assert "error: view autocorp.torn: torn.sql" in result.stderr
        assert "view autocorp.torn is made" not in result.stdout
    assert set(views()) == {*DELTA}


def test_locally_there_is_nothing_to_deploy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("AUTOCORP_DEPLOYMENT", "local")
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path / "home"))

    said = deploy()

    assert said.exit_code == 0
    assert said.stdout.startswith("nothing to deploy: the local deployment")
    assert not (tmp_path / "home").exists()
