"""A lake in the fake S3, and a Glue job whose code is published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.glue_code import bucket_and_key, publish, script_url
from autocorp_assets.settings import Settings


def make_job(settings: Settings, *, concurrent_runs: int = 1) -> None:
    """As the infrastructure makes it, with the code that a deployment puts there."""
    publish(settings)
    client("glue").create_job(
        Name=settings.aws.glue_job,
        Role="arn:aws:iam::123456789012:role/autocorp-glue",
        Command={"Name": "glueetl", "ScriptLocation": script_url(settings), "PythonVersion": "3"},
        ExecutionProperty={"MaxConcurrentRuns": concurrent_runs},
        GlueVersion="5.1",
    )


def script(settings: Settings, text: str) -> None:
    """What the job runs instead of the curation; it passes for the published script."""
    bucket, key = bucket_and_key(script_url(settings))
    published = client("s3").head_object(Bucket=bucket, Key=key)["Metadata"]
    client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode(), Metadata=published)


def upload(folder: Path, settings: Settings) -> None:
    """All files of a lake that a test has written on disk."""
    bucket, prefix = bucket_and_key(str(settings.lake))
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            client("s3").upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder)}")


def keys(settings: Settings, folder: str, select: Callable[[str], bool] = lambda _: True) -> list[str]:
    """What lies below a folder of the lake."""
    bucket, prefix = bucket_and_key(f"{settings.lake}/{folder}/")
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", ())]
    return [key for key in found if select(key)]
