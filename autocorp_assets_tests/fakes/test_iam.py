"""The policy simulator that moto lacks."""

import pytest
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from autocorp_assets.resources.aws.clients import client
from autocorp_assets_tests.fakes.account import allow_caller
from autocorp_assets_tests.fakes.iam import CALLER, simulate_principal_policy
from autocorp_assets_tests.fakes.server import ACCOUNT, FakeAws

pytestmark = pytest.mark.aws
CALLER_ARN = f"arn:aws:iam::{ACCOUNT}:user/{CALLER}"


def test_what_is_patched_still_exists_and_is_in_place(aws: FakeAws):
    assert vars(IamResponse)["simulate_principal_policy"] is simulate_principal_policy
    assert all(hasattr(IAMBackend, name) for name in ("get_user", "get_role"))


def test_a_caller_without_keys_of_moto_s_own_is_the_user_that_the_simulator_knows(aws: FakeAws):
    assert client("sts").get_caller_identity()["Arn"].endswith(f"user/{CALLER}")


def test_an_explicit_deny_wins_and_what_nothing_allows_is_denied(aws: FakeAws):
    client("iam").create_user(UserName=CALLER)
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::lake/*"},
        {"Effect": "Deny", "Action": ["s3:DeleteObject"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": "AutoCorp"}},
        },
    ]
    allow_caller({"Version": "2012-10-17", "Statement": statements})

    def decide(action: str, resource: str, **context: str) -> str:
        entries = [
            {"ContextKeyName": f"cloudwatch:{key}", "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ]
        (found,) = client("iam").simulate_principal_policy(
            PolicySourceArn=CALLER_ARN, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
        )["EvaluationResults"]
        assert found["ResourceSpecificResults"][0]["EvalResourceName"] == resource
        return found["EvalDecision"]

    assert decide("s3:GetObject", "arn:aws:s3:::lake/raw/x") == "allowed"
    assert decide("s3:GetObject", "arn:aws:s3:::other/raw/x") == "implicitDeny"
    assert decide("s3:DeleteObject", "arn:aws:s3:::lake/raw/x") == "explicitDeny"
    assert decide("cloudwatch:PutMetricData", "*") == "implicitDeny"
    assert decide("cloudwatch:PutMetricData", "*", namespace="AutoCorp") == "allowed"


def test_nobody_is_simulated_who_does_not_exist(aws: FakeAws):
    iam = client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.simulate_principal_policy(PolicySourceArn=CALLER_ARN, ActionNames=["s3:GetObject"])
