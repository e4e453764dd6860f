"""Settings from SSM's Parameter Store."""

from __future__ import annotations

import os
from typing import Any

from pydantic_settings import EnvSettingsSource

from autocorp_assets.settings_errors import SettingsError

PATH_VARIABLE = "AUTOCORP_AWS_PARAMETERS"
ATTEMPTS = 4
SECONDS = 5
"""To connect, and between two pieces of an answer: every command waits for it."""
RENEW = "renew the credentials (`aws sso login`, or a new session)"
REMEDIES = {
    "AccessDeniedException": "the role lacks ssm:GetParametersByPath on that path (and kms:Decrypt for a SecureString)",
    "ExpiredTokenException": RENEW,
    "ExpiredToken": RENEW,
    "UnrecognizedClientException": "the credentials are not valid in this account: check AWS_PROFILE and the keys",
    "ValidationException": "a path begins with / and has no / at its end, such as /autocorp/production",
}


class ParameterStoreSource(EnvSettingsSource):
    """The parameters below the path that the environment names; none without one."""

    def _load_env_vars(self) -> dict[str, str | None]:
        path = os.environ.get(PATH_VARIABLE)
        if not path:
            return {}
        return {f"{self.env_prefix}{name}".lower(): value for name, value in read_parameters(path).items()}


def read_parameters(path: str) -> dict[str, str]:
    """Values by the last part of their name, of all parameters directly below a path.

    Raises:
        SettingsError: there are none, or they cannot be read.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    said = f"{PATH_VARIABLE}={path}: the settings cannot be read from SSM"
    try:
        found = {entry["Name"].rsplit("/", 1)[-1]: entry["Value"] for entry in _parameters(path)}
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        message = f"{said}: {error.response['Error'].get('Message') or code} ({code})"
        raise SettingsError(f"{message}; {REMEDIES[code]}" if code in REMEDIES else message) from error
    except BotoCoreError as error:
        message = f"{said}: {error}; set AWS_REGION and AWS_PROFILE or keys, and check that SSM can be reached"
        raise SettingsError(message) from error
    if not found:
        message = (
            f"{PATH_VARIABLE}={path}: SSM has no parameter below that path, in this account and region. Put the "
            f"settings there (aws ssm put-parameter --type String --name {path.rstrip('/')}/lake --value s3://…), "
            "correct the path, or unset the variable and set AUTOCORP_AWS_LAKE"
        )
        raise SettingsError(message)
    return found


def _parameters(path: str) -> list[dict[str, Any]]:
    # Not resources.aws.clients: everything knows the settings, and must not know the resources by them.
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    ssm = boto3.client("ssm", config=Config(retries=retries, connect_timeout=SECONDS, read_timeout=SECONDS))
    pages = ssm.get_paginator("get_parameters_by_path").paginate(
        Path=path, WithDecryption=True, PaginationConfig={"PageSize": 10}
    )
    return [entry for page in pages for entry in page["Parameters"]]
