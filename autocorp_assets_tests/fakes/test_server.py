"""The stand-in for AWS itself."""

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.resources.aws import clients
from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets_tests.fakes.faults import EXPIRED, SLOW, THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws


def test_one_throttling_and_one_server_error_pass_unnoticed(aws: FakeAws):
    aws.faults.add("glue", THROTTLED, UNAVAILABLE)

    assert client("glue").get_databases()["DatabaseList"] == []
    assert aws.faults.requests["glue:GetDatabases"] == 3


def test_an_answer_that_does_not_come_is_asked_for_again(aws: FakeAws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clients, "READ_SECONDS", 0.3)
    clients.client.cache_clear()
    aws.faults.add("glue", SLOW)

    assert client("glue").get_databases()["DatabaseList"] == []
    assert aws.faults.requests["glue:GetDatabases"] == 2


def test_expired_credentials_say_what_to_do(aws: FakeAws):
    aws.faults.add("glue", EXPIRED)

    with pytest.raises(ClientError) as raised:
        client("glue").get_databases()

    assert "GetDatabases" in explain(raised.value)
    assert "renew them" in explain(raised.value)


def test_no_region_and_no_credentials_say_what_to_do():
    assert "AWS_DEFAULT_REGION" in explain(NoRegionError())
    assert "AWS_PROFILE" in explain(NoCredentialsError())


def test_the_command_line_says_it_too(aws: FakeAws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUTOCORP_DEPLOYMENT", "aws")
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", "s3://lake")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    clients.client.cache_clear()

    refused = CliRunner().invoke(app, ["deploy"])

    assert refused.exit_code == 1
    assert "AWS_DEFAULT_REGION" in refused.stderr
