"""A bucket policy that asks for TLS, on moto, which takes such a statement for one that denies everything.

The loopback stands for TLS here: statements on `aws:SecureTransport` concern none of our requests.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def get_permission(self: FakeBucket, action: str, resource: str) -> Any:
    if self.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(self.policy)
    statements = [one for one in document["Statement"] if "aws:SecureTransport" not in json.dumps(one)]
    return IAMPolicy(json.dumps({**document, "Statement": statements})).is_action_permitted(action, resource)


def install() -> None:
    FakeBucket.get_permission = get_permission
