"""The stand-in for AWS itself."""

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.faults import EXPIRED, THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws


def test_one_throttling_and_one_server_error_pass_unnoticed(aws: FakeAws):
    aws.faults.add("glue", THROTTLED, UNAVAILABLE)

    assert client("glue").get_databases()["DatabaseList"] == []
    assert aws.faults.requests["glue:GetDatabases"] == 3


def test_expired_credentials_say_what_to_do(aws: FakeAws):
    aws.faults.add("glue", EXPIRED)

    with pytest.raises(ClientError) as raised:
        client("glue").get_databases()

    assert "GetDatabases" in explain(raised.value)
    assert "renew them" in explain(raised.value)


def test_settings_come_from_the_environment_and_else_from_parameter_store(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
):
    ssm = client("ssm")
    for name, value in {
        "lake": "s3://from-ssm/",
        "glue_job": "from-ssm",
        "transfer_tasks": '{"customers": "t"}',
    }.items():
        ssm.put_parameter(Name=f"/autocorp/test/{name}", Value=value, Type="String")
    monkeypatch.setenv("AUTOCORP_AWS_PARAMETERS", "/autocorp/test")
    monkeypatch.setenv("AUTOCORP_AWS_GLUE_JOB", "from-environment")

    settings = Settings(deployment="aws")

    assert settings.lake == "s3://from-ssm"
    assert settings.aws.glue_job == "from-environment"
    assert settings.aws.transfer_tasks == {"customers": "t"}


def test_a_deployment_without_a_lake_says_what_is_missing(aws: FakeAws):
    with pytest.raises(ValidationError, match="lake"):
        _ = Settings(deployment="aws").aws
