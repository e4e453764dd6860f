"""`autocorp` as a process that looks more often than it would at AWS, where every look costs and a phase takes minutes.

python -m autocorp_assets_tests.fakes.hurried_cli sync --json
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

from autocorp_assets.cli.main import app
from autocorp_assets.deployments import aws
from autocorp_assets.resources.aws import athena
from autocorp_assets.settings import Settings

POLL_SECONDS = 0.3
ATHENA_POLL_SECONDS = 0.02
"""The fake's Athena answers at once, and a deployment has two dozen statements."""
PATIENT = ("replication", "transfer", "job_runner")
"""Resources that wait for AWS."""
as_they_are = aws.aws_resources


def hurried(settings: Settings) -> dict[str, object]:
    resources: dict[str, Any] = as_they_are(settings)
    for name in PATIENT:
        resources[name] = replace(resources[name], poll_seconds=POLL_SECONDS)
    # The fake's metrics have a point each second.
    resources["replication"] = replace(resources["replication"], period_seconds=1)
    return resources


if __name__ == "__main__":
    with (
        mock.patch.object(aws, "aws_resources", hurried),
        mock.patch.object(aws, "AthenaDdl", partial(aws.AthenaDdl, poll_seconds=ATHENA_POLL_SECONDS)),
        mock.patch.object(athena, "AthenaQuery", partial(athena.AthenaQuery, poll_seconds=ATHENA_POLL_SECONDS)),
    ):
        app()
