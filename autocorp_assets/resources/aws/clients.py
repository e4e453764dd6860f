"""boto3 clients, made when first used and shared, and what AWS's errors mean."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

ATTEMPTS = 6
"""In all, with botocore's exponential back-off between them: ten seconds of throttling or 5xx pass unnoticed."""
CONNECT_SECONDS = 10
READ_SECONDS = 60

REMEDIES = {
    # By the service's code, or by the name of botocore's own error.
    "ExpiredToken": "the credentials have expired: renew them (`aws sso login`, or a new session), then run again",
    "ExpiredTokenException": "the credentials have expired: renew them (`aws sso login`, or a new session)",
    "UnrecognizedClientException": "the credentials are not valid in this account: check AWS_PROFILE and the keys",
    "InvalidClientTokenId": "the credentials are not valid in this account: check AWS_PROFILE and the keys",
    "AccessDenied": "the role lacks a permission: `autocorp doctor` names it",
    "AccessDeniedException": "the role lacks a permission: `autocorp doctor` names it",
    "AccessDeniedFault": "the role lacks a permission: `autocorp doctor` names it",
    "NoRegionError": "set AWS_DEFAULT_REGION (boto3 does not read AWS_REGION), or name it in the profile",
    "NoCredentialsError": "sign in (`aws sso login`), name a profile in AWS_PROFILE, or give the machine a role",
    "Throttling": "AWS throttled the call and six attempts: it is tried again with the next run",
    "ThrottlingException": "AWS throttled the call and six attempts: it is tried again with the next run",
}


_MAKING = threading.Lock()
"""boto3's clients may be used by several threads, but its default session makes one at a time (boto3's guide)."""


@cache
def client(service: str) -> Any:
    """The shared client of a service; credentials, region and endpoint are boto3's own business."""
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    config = Config(retries=retries, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
    with _MAKING:
        return boto3.client(service, config=config)


def is_aws_error(error: BaseException) -> bool:
    """Whether botocore or a service says it; without importing botocore, whose errors are made as they come."""
    return type(error).__module__.startswith("botocore.")


def error_code(error: BaseException) -> str:
    """The service's code; empty where the error is none of a service."""
    return (getattr(error, "response", None) or {}).get("Error", {}).get("Code", "")


def explain(error: Exception) -> str:
    """What went wrong by botocore or a service, in which call, and what to do where that is known."""
    response = getattr(error, "response", None)
    if response is None:
        remedy = REMEDIES.get(type(error).__name__)
        return f"{str(error).rstrip('.')}; {remedy}" if remedy else str(error)
    code = response["Error"].get("Code", "")
    told = f"{getattr(error, 'operation_name', 'call')}: {response['Error'].get('Message') or code} ({code})"
    return f"{told}; {REMEDIES[code]}" if code in REMEDIES else told
