"""Settings from SSM's Parameter Store."""

from __future__ import annotations

import os

from pydantic_settings import EnvSettingsSource

PATH_VARIABLE = "AUTOCORP_AWS_PARAMETERS"


class ParameterStoreSource(EnvSettingsSource):
    """The parameters below the path that the environment names; none without one."""

    def _load_env_vars(self) -> dict[str, str | None]:
        path = os.environ.get(PATH_VARIABLE)
        if not path:
            return {}
        return {f"{self.env_prefix}{name}".lower(): value for name, value in read_parameters(path).items()}


def read_parameters(path: str) -> dict[str, str]:
    """Values by the last part of their name, of all parameters directly below a path."""
    import boto3

    pages = boto3.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path)
    return {entry["Name"].rsplit("/", 1)[-1]: entry["Value"] for page in pages for entry in page["Parameters"]}
