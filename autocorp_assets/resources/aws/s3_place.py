"""A place in S3, and what lies in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from autocorp_assets.resources.aws.clients import client


@dataclass(frozen=True, kw_only=True)
class S3Object:
    """One version of an object."""

    path: str
    """Relative to the place."""
    size: int
    etag: str
    """Identity of the content; a digest of it only where it was written at once and not with a key of KMS."""
    modified: datetime
    """When its upload began, which of one in parts is long before it is seen."""
    version: str | None = None
    """None where the listing does not say; `null` in a bucket that keeps no versions."""

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class S3Place:
    """`s3://bucket/prefix`."""

    bucket: str
    prefix: str
    """Without slashes at its ends; empty for the whole bucket."""

    @classmethod
    def of(cls, url: str) -> Self:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        return cls(bucket=bucket, prefix=prefix.strip("/"))

    def key(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def objects(self, folder: str = "") -> Iterator[S3Object]:
        """All below a folder, without the markers of folders; a request for each 1000."""
        for entry in self._listed("list_objects_v2", "Contents", folder):
            yield self._object(entry)

    def versions(self, folder: str) -> Iterator[S3Object]:
        """The current version of each object, with its identity; earlier ones cost their place in the listing."""
        for entry in self._listed("list_object_versions", "Versions", folder):
            if entry["IsLatest"]:
                yield self._object(entry)

    def _listed(self, operation: str, name: str, folder: str) -> Iterator[dict[str, Any]]:
        below = self.key(f"{folder}/" if folder else "")
        for page in client("s3").get_paginator(operation).paginate(Bucket=self.bucket, Prefix=below):
            yield from (entry for entry in page.get(name, ()) if not entry["Key"].endswith("/"))

    def _object(self, entry: dict[str, Any]) -> S3Object:
        return S3Object(
            path=entry["Key"].removeprefix(self.key("")),
            size=entry["Size"],
            etag=entry["ETag"].strip('"'),
            modified=entry["LastModified"],
            version=entry.get("VersionId"),
        )
