"""A folder's files in S3, so that a test can read the same lake in both."""

from __future__ import annotations

from pathlib import Path

from autocorp_assets.resources.aws.clients import client


def upload(folder: Path, bucket: str, prefix: str) -> None:
    """Every file below the folder, under its path there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            client("s3").put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
