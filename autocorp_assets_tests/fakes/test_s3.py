"""Bucket policies as the fake judges them."""

import json

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import FakeBucket

from autocorp_assets.resources.aws.clients import client
from autocorp_assets_tests.fakes.account import tls_only
from autocorp_assets_tests.fakes.s3 import get_permission
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws


def test_a_policy_that_asks_for_tls_keeps_nobody_out_here_and_others_do(aws: FakeAws):
    assert FakeBucket.get_permission is get_permission
    s3 = client("s3")
    s3.put_bucket_policy(Bucket=LAKE_BUCKET, Policy=tls_only(LAKE_BUCKET))
    s3.put_object(Bucket=LAKE_BUCKET, Key="x", Body=b"")

    policy = json.loads(tls_only(LAKE_BUCKET))
    resource = f"arn:aws:s3:::{LAKE_BUCKET}/*"
    policy["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": resource})
    s3.put_bucket_policy(Bucket=LAKE_BUCKET, Policy=json.dumps(policy))

    with pytest.raises(ClientError, match="PutObject"):
        s3.put_object(Bucket=LAKE_BUCKET, Key="x", Body=b"")
