"""The stand-in for AWS itself."""

import pytest
from botocore.exceptions import ClientError

from autocorp_assets.resources.aws.clients import client, explain
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
