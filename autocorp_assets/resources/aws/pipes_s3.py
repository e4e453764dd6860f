"""Dagster Pipes by way of the lake's bucket. Imports boto3: to be imported where a job is run."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dagster import PipesMessageReader
from dagster_aws.pipes import PipesS3ContextInjector, PipesS3MessageReader

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.glue_code import bucket_and_key

PIPES_FOLDER = "pipes"
"""Below the lake's root. Messages stay there, a few kilobytes a run: a lifecycle rule of the bucket removes them."""


@dataclass(frozen=True, kw_only=True)
class PipesPlace:
    """Where one job and Dagster exchange context and messages."""

    lake: str
    name: str
    """Of the exchange: never used twice."""
    interval_seconds: float

    def injector(self) -> PipesS3ContextInjector:
        bucket, prefix = self._place
        return PipesS3ContextInjector(bucket=bucket, client=client("s3"), key_prefix=f"{prefix}/")

    def reader(self) -> PipesMessageReader:
        bucket, prefix = self._place
        return _Reader(bucket=bucket, prefix=prefix, interval_seconds=self.interval_seconds)

    @property
    def _place(self) -> tuple[str, str]:
        return bucket_and_key(f"{self.lake}/{PIPES_FOLDER}/{self.name}")


class _Reader(PipesS3MessageReader):
    """Reads below the lake's prefix, where the job's role may write; the original would at the bucket's root."""

    def __init__(self, *, bucket: str, prefix: str, interval_seconds: float) -> None:
        super().__init__(bucket=bucket, client=client("s3"), interval=interval_seconds, include_stdio_in_messages=True)
        self._prefix = prefix

    @contextmanager
    def get_params(self) -> Generator[dict[str, Any]]:
        with super().get_params() as params:
            yield {**params, "key_prefix": f"{self._prefix}/messages"}

    def messages_are_readable(self, params: object) -> bool:  # noqa: ARG002
        """Always: the original asks each second until the first are there, a minute long while workers start."""
        return True

    def download_messages_chunk(self, index: int, params: Mapping[str, Any]) -> str | None:
        """Up to the job's farewell: what it prints while it stops comes later, and Dagster would warn of each line."""
        chunk = super().download_messages_chunk(index, params)
        lines = (chunk or "").splitlines()
        last = next((at for at, line in enumerate(lines) if '"method": "closed"' in line), len(lines))
        return "\n".join(lines[: last + 1]) or None
