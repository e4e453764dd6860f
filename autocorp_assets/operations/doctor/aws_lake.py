"""The lake's bucket: it is there, is protected, and can be written."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from autocorp_assets.operations.doctor.finding import Finding, failure, ok, warning
from autocorp_assets.resources.aws.clients import client, error_code, explain
from autocorp_assets.resources.aws.s3_place import S3Place
from autocorp_assets.settings import Settings

MARKER_FOLDER = "processed/_doctor"
"""Readers of the lake do not see what begins with an underscore."""
FIRST_REGION, EU = "us-east-1", "eu-west-1"
"""What S3 calls None and EU."""
ABSENT = {"404", "NoSuchBucket", "NotFound"}


def bucket(settings: Settings) -> Iterator[Finding]:
    """It exists, where the rest of the deployment is."""
    lake, s3 = S3Place.of(settings.aws.lake), client("s3")
    try:
        location = s3.get_bucket_location(Bucket=lake.bucket)["LocationConstraint"]
    except s3.exceptions.ClientError as error:
        if error_code(error) not in ABSENT:
            raise
        region = s3.meta.region_name
        remedy = f"aws s3 mb s3://{lake.bucket} --region {region}, or correct AUTOCORP_AWS_LAKE"
        yield failure("lake", f"there is no bucket {lake.bucket}", remedy)
        return
    where, ours = {None: FIRST_REGION, "EU": EU}.get(location, location), s3.meta.region_name
    if where == ours:
        yield ok("lake", f"bucket {lake.bucket} is in {where}")
    else:
        remedy = f"run in {where} (AWS_REGION), or let the lake be in {ours}"
        yield failure("lake", f"bucket {lake.bucket} is in {where}, and the deployment in {ours}", remedy)


def protection(settings: Settings) -> Iterator[Finding]:
    """Old versions are kept, what is stored is encrypted, and what travels too."""
    lake, s3 = S3Place.of(settings.aws.lake), client("s3")
    name = lake.bucket
    if s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled":
        yield ok("lake: versions", "kept")
    else:
        remedy = f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
        yield warning("lake: versions", "what is overwritten or deleted by mistake is gone", remedy)
    encryption = _if_any(lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"])
    if encryption:
        kind = encryption[0].get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "set")
        yield ok("lake: encryption", str(kind))
    else:
        remedy = f"aws s3api put-bucket-encryption --bucket {name}, with SSE-S3 or a key of KMS"
        yield warning("lake: encryption", "the bucket names no encryption", remedy)
    policy = _if_any(lambda: s3.get_bucket_policy(Bucket=name)["Policy"])
    if policy and requires_tls(json.loads(policy)):
        yield ok("lake: TLS", "the bucket's policy refuses anything else")
    else:
        remedy = 'deny s3:* on bucket and objects where "aws:SecureTransport" is "false" in the bucket\'s policy'
        yield warning("lake: TLS", "the bucket's policy also allows requests in the clear", remedy)


def requires_tls(policy: dict[str, Any]) -> bool:
    """Whether everybody is denied who does not use TLS."""
    statements = policy.get("Statement", [])
    return any(_denies_clear_text(one) for one in (statements if isinstance(statements, list) else [statements]))


def _denies_clear_text(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {})
    secure = {key.lower(): str(value).lower() for key, value in condition.items()}.get("aws:securetransport")
    everybody = statement.get("Principal") in ("*", {"AWS": "*"})
    return statement.get("Effect") == "Deny" and everybody and secure == "false"


def marker(settings: Settings) -> Iterator[Finding]:
    """An object is written, read, listed and deleted again."""
    lake, s3 = S3Place.of(settings.aws.lake), client("s3")
    place = {"Bucket": lake.bucket, "Key": lake.key(f"{MARKER_FOLDER}/{uuid.uuid4().hex}")}
    subject = "lake: reading and writing"
    steps = {
        "s3:PutObject": lambda: s3.put_object(**place, Body=b"autocorp doctor"),
        "s3:GetObject": lambda: s3.get_object(**place),
        "s3:ListBucket": lambda: s3.list_objects_v2(Bucket=lake.bucket, Prefix=place["Key"]),
        "s3:DeleteObject": lambda: s3.delete_object(**place),
    }
    refused: dict[str, str] = {}
    for action, step in steps.items():
        if "s3:PutObject" in refused and action == "s3:GetObject":
            continue
        try:
            step()
        except s3.exceptions.ClientError as error:
            refused[action] = explain(error)
    for action, said in refused.items():
        yield failure(subject, said, f"let the role call {action} below {settings.aws.lake}, and use the bucket's key")
    if not refused:
        yield ok(subject, f"{', '.join(steps)} below {settings.aws.lake}")


def landing(settings: Settings) -> Iterator[Finding]:
    """Where exports arrive can be looked at, if it is in S3."""
    if settings.aws.landing is None:
        yield ok("landing place", "not in S3: DataSync's schedule looks for exports")
        return
    place, s3 = S3Place.of(settings.aws.landing), client("s3")
    try:
        s3.list_objects_v2(Bucket=place.bucket, Prefix=place.key(""), MaxKeys=1)
    except s3.exceptions.ClientError as error:
        if error_code(error) not in ABSENT:
            raise
        remedy = "create it (the infrastructure does), or correct AUTOCORP_AWS_LANDING"
        yield failure("landing place", f"there is no bucket {place.bucket}", remedy)
    else:
        yield ok("landing place", settings.aws.landing)


def _if_any(ask: Any) -> Any:
    """The answer; None where S3 says that nothing is set."""
    s3 = client("s3")
    try:
        return ask()
    except s3.exceptions.ClientError as error:
        if not error_code(error).startswith(("NoSuch", "ServerSideEncryptionConfigurationNotFound")):
            raise
        return None
