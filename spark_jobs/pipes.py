"""How the job and Dagster talk: over files on this machine, over S3 in Glue."""

from __future__ import annotations

from dagster_pipes import (
    PipesCliArgsParamsLoader,
    PipesContext,
    PipesS3ContextLoader,
    PipesS3MessageWriter,
    open_dagster_pipes,
)

UPLOAD_SECONDS = 10
"""Between two uploads of messages; each is a request."""


def open_pipes() -> PipesContext:
    """Glue gives a job no environment of its own: there Pipes' parameters are arguments, and mean places in S3."""
    arguments = PipesCliArgsParamsLoader()
    if not arguments.is_dagster_pipes_process():
        return open_dagster_pipes()
    import boto3  # Glue has it; a job on one machine needs none

    s3 = boto3.client("s3")
    return open_dagster_pipes(
        params_loader=arguments,
        context_loader=PipesS3ContextLoader(client=s3),
        message_writer=PipesS3MessageWriter(client=s3, interval=UPLOAD_SECONDS),
    )
