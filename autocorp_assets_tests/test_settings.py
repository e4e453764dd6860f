"""Settings that cannot be used are told in the operator's words."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.settings import AwsSettings, Settings
from autocorp_assets.settings_errors import SettingsError
from autocorp_assets_tests.fakes.faults import EXPIRED, Fault
from autocorp_assets_tests.fakes.server import FakeAws


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", "s3://autocorp-lake/lake")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AUTOCORP_AWS_LAKE", "/srv/lake", "it is not the URL of a bucket"),
        ("AUTOCORP_AWS_LAKE", "s3a://bucket/lake", "s3://bucket or s3://bucket/prefix"),
        ("AUTOCORP_AWS_LAKE", "s3://Bucket", "it is not the URL of a bucket"),
        ("AUTOCORP_AWS_LANDING", "exports", "it is not the URL of a bucket"),
        ("AUTOCORP_AWS_CURATE_EVERY_MINUTES", "0", "greater than 0"),
        ("AUTOCORP_AWS_JOB_DEADLINE_MINUTES", "an hour", "valid integer"),
        ("AUTOCORP_AWS_WORKERS_MIN", "1", "greater than or equal to 2"),
        ("AUTOCORP_AWS_WORKER_TYPE", "large", "match pattern"),
        ("AUTOCORP_AWS_ALERTS_TOPIC", "autocorp-alerts", "not the ARN of an SNS topic"),
        ("AUTOCORP_AWS_METRICS_NAMESPACE", "AWS/DMS", "not ours"),
        ("AUTOCORP_AWS_TRANSFER_TASKS", '{"orders": "t"}', "there is no feed orders; there are customers"),
        ("AUTOCORP_AWS_TRANSFER_TASKS", '{"customers": "arn:aws:s3:::b"}', "not the ARN of a DataSync task"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_purpose_and_how_to_set_it(monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=said) as raised:
        AwsSettings()

    told = str(raised.value)
    assert told.startswith(variable)
    assert "What it is: " in told
    assert f"Set it: export {variable}=" in told
    assert f"as parameter <path>/{variable.removeprefix('AUTOCORP_AWS_').lower()} of SSM" in told


def test_a_deployment_without_a_lake_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("AUTOCORP_AWS_LAKE")

    with pytest.raises(SettingsError) as raised:
        _ = Settings(deployment="aws").lake

    assert str(raised.value).splitlines() == [
        "AUTOCORP_AWS_LAKE is not set",
        "    What it is: `s3://bucket` or `s3://bucket/prefix` under which raw, curated and processed lie.",
        "    Set it: export AUTOCORP_AWS_LAKE='s3://autocorp-lake/lake', or as parameter <path>/lake of SSM with "
        "AUTOCORP_AWS_PARAMETERS=<path>",
    ]


def test_json_that_is_none_and_workers_that_are_no_range_are_told(monkeypatch):
    monkeypatch.setenv("AUTOCORP_AWS_WORKERS_MIN", "8")
    monkeypatch.setenv("AUTOCORP_AWS_WORKERS_MAX", "4")
    with pytest.raises(SettingsError, match="AUTOCORP_AWS_WORKERS_MIN=8 is more than AUTOCORP_AWS_WORKERS_MAX=4"):
        AwsSettings()

    monkeypatch.setenv("AUTOCORP_AWS_TRANSFER_TASKS", "customers=t")
    with pytest.raises(SettingsError, match="transfer_tasks"):
        AwsSettings()


def test_the_source_s_password_is_no_setting_on_aws_and_is_not_repeated(monkeypatch):
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", "postgresql://autocorp:s3cr3t@db.example.com/autocorp")

    assert Settings().source_dsn is not None
    with pytest.raises(SettingsError, match="AUTOCORP_AWS_SOURCE_SECRET") as raised:
        Settings(deployment="aws")
    assert "s3cr3t" not in str(raised.value)


def test_the_command_line_tells_it_without_a_traceback(monkeypatch):
    monkeypatch.delenv("AUTOCORP_DEBUG", raising=False)
    monkeypatch.setenv("AUTOCORP_DEPLOYMENT", "cloud")

    result = CliRunner().invoke(app, ["status"])

    assert result.exit_code == 1
    assert result.stderr.startswith("error: AUTOCORP_DEPLOYMENT=cloud cannot be used: Input should be 'local' or 'aws'")
    assert "pydantic" not in result.stderr


def test_an_instance_is_shared_only_where_the_aws_deployment_names_one(monkeypatch, tmp_path):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "theirs"))

    assert Settings(deployment="aws", home=tmp_path).shared_dagster_home == tmp_path / "theirs"
    assert Settings(home=tmp_path).shared_dagster_home is None
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    assert Settings(deployment="aws", home=tmp_path).shared_dagster_home is None


@pytest.mark.aws
class TestParameterStore:
    @pytest.fixture(autouse=True)
    def path(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AUTOCORP_AWS_PARAMETERS", "/autocorp/test")
        monkeypatch.delenv("AUTOCORP_AWS_LAKE")

    def put(self, **values: str) -> None:
        for name, value in values.items():
            client("ssm").put_parameter(Name=f"/autocorp/test/{name}", Value=value, Type="String")

    def test_settings_come_from_the_environment_and_else_from_there(self, monkeypatch):
        self.put(lake="s3://from-ssm/", glue_job="from-ssm", transfer_tasks=json.dumps({"customers": "t"}))
        monkeypatch.setenv("AUTOCORP_AWS_GLUE_JOB", "from-environment")

        settings = Settings(deployment="aws")

        assert settings.lake == "s3://from-ssm"
        assert settings.aws.glue_job == "from-environment"
        assert settings.aws.transfer_tasks == {"customers": "t"}

    def test_a_path_without_parameters_says_how_to_make_one(self):
        with pytest.raises(SettingsError, match=r"no parameter below that path.*put-parameter.*AUTOCORP_AWS_LAKE"):
            AwsSettings()

    def test_a_refusal_names_the_permission(self, aws: FakeAws):
        aws.faults.add("ssm", Fault(status=400, code="AccessDeniedException"))

        with pytest.raises(SettingsError, match=r"/autocorp/test.*ssm:GetParametersByPath"):
            AwsSettings()

    def test_expired_credentials_are_to_be_renewed(self, aws: FakeAws):
        aws.faults.add("ssm", EXPIRED)

        with pytest.raises(SettingsError, match="renew"):
            AwsSettings()

    def test_a_value_from_there_is_judged_alike(self):
        self.put(lake="/srv/lake")

        with pytest.raises(SettingsError, match="AUTOCORP_AWS_LAKE=/srv/lake cannot be used"):
            AwsSettings()
