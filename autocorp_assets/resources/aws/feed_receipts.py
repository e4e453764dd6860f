"""The deliveries of one feed in S3: which are new, their receipts, and the content that they replaced.

DataSync writes an object at once under its own name, so what makes a delivery visible is its receipt, written last:
keep replaced content aside, then write the receipt. What a kill leaves undone, the next transfer does again.
A receipt is written only on condition that nobody has written another since it was read, so that two transfers at
once report each delivery once, and the slower one never puts an old receipt over a newer one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autocorp_assets.contracts.model import CsvFeed
from autocorp_assets.contracts.raw_format import SUPERSEDED_DELIVERIES, TRANSFER_RECEIPTS, feed_prefix
from autocorp_assets.lake.export_names import is_export, why_ignored
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.s3_place import S3Object, S3Place

READERS = 16
NO_VERSION = "null"
"""Version of an object in a bucket that keeps none."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was verified of a delivery."""

    size: int
    etag: str
    version: str | None
    written_as: str
    """ETag of the receipt itself."""


@dataclass(frozen=True, kw_only=True)
class FeedObjects:
    """What lies in a feed's folder, and what is known of it."""

    feed: CsvFeed
    current: Mapping[str, S3Object]
    """By name, the exports."""
    receipts: Mapping[str, Receipt]
    """By name of the export."""
    ignored: Mapping[str, str]
    """Remedy by name, of what is no export."""

    @property
    def new(self) -> list[S3Object]:
        """Exports whose content no receipt states, by name."""
        return [found for name, found in sorted(self.current.items()) if not self._is_known(name, found)]

    def _is_known(self, name: str, found: S3Object) -> bool:
        receipt = self.receipts.get(name)
        return receipt is not None and (receipt.size, receipt.etag) == (found.size, found.etag)


def look(lake: S3Place, feed: CsvFeed) -> FeedObjects:
    """Costs two listings and a request for each receipt."""
    receipts = _receipts(lake, feed)
    current, ignored = {}, {}
    prefix = feed_prefix(feed.name)
    for found in lake.versions(prefix):
        place = found.path.removeprefix(f"{prefix}/")
        if is_export(place, feed):
            current[place] = found
        elif not any(part.startswith(("_", ".")) for part in place.split("/")):
            ignored[place] = why_not_of(place, feed)
    return FeedObjects(feed=feed, current=current, receipts=receipts, ignored=ignored)


def why_not_of(place: str, feed: CsvFeed) -> str:
    """Why what lies in a feed's folder is no export of it, and what to do."""
    if "/" in place:
        return f"in a folder of its own: DataSync's source must have {feed.name}-YYYYMMDD.csv at its top"
    return why_ignored(place, feed) or (
        f"no export of {feed.name}: have the task include only {feed.name}-*, or move the file away"
    )


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An export that is now a delivery."""

    name: str
    size: int
    remark: str | None = None
    """What is not as it should be about it."""


def take(lake: S3Place, objects: FeedObjects, found: S3Object) -> Taken | None:
    """Make an export visible; None when another transfer has been first."""
    receipt = objects.receipts.get(found.name)
    remark = _keep_aside(lake, objects.feed, found, receipt) if receipt and receipt.etag != found.etag else None
    is_first = _write_receipt(lake, objects.feed, found, receipt)
    return Taken(name=found.name, size=found.size, remark=remark) if is_first else None


def _keep_aside(lake: S3Place, feed: CsvFeed, found: S3Object, receipt: Receipt) -> str | None:
    """Give the delivery's earlier content a name that lasts longer than its version; why not, where it cannot be."""
    from botocore.exceptions import ClientError

    if receipt.version in (None, NO_VERSION):
        return f"the content that {found.name} had before is lost: the bucket keeps no versions. Turn versioning on"
    source = {"Bucket": lake.bucket, "Key": lake.key(found.path), "VersionId": receipt.version}
    aside = lake.key(f"{SUPERSEDED_DELIVERIES}/{feed.name}/{receipt.etag}-{found.name}")
    try:
        client("s3").copy(source, lake.bucket, aside)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchVersion", "NoSuchKey"}:
            raise
        return f"the content that {found.name} had before is lost: its version {receipt.version} has been removed"
    return None


def _write_receipt(lake: S3Place, feed: CsvFeed, found: S3Object, old: Receipt | None) -> bool:
    from botocore.exceptions import ClientError

    content = {
        "size": found.size,
        "sha256": found.etag,
        "transferred_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "source": found.name,
        "version_id": found.version,
    }
    condition = {"IfMatch": old.written_as} if old else {"IfNoneMatch": "*"}
    try:
        client("s3").put_object(
            Bucket=lake.bucket,
            Key=lake.key(f"{TRANSFER_RECEIPTS}/{feed.name}/{found.name}.json"),
            Body=json.dumps(content).encode(),
            ContentType="application/json",
            **condition,
        )
    except ClientError as error:
        # 409: the other one's write was under way.
        if error.response["Error"]["Code"] not in {"PreconditionFailed", "ConditionalRequestConflict"}:
            raise
        return False
    return True


def _receipts(lake: S3Place, feed: CsvFeed) -> dict[str, Receipt]:
    listed = [found for found in lake.objects(f"{TRANSFER_RECEIPTS}/{feed.name}") if found.name.endswith(".json")]
    with ThreadPoolExecutor(READERS) as pool:
        read = pool.map(lambda found: _receipt(lake, found), listed)
        return {found.name.removesuffix(".json"): receipt for found, receipt in zip(listed, read, strict=True)}


def _receipt(lake: S3Place, found: S3Object) -> Receipt:
    answer = client("s3").get_object(Bucket=lake.bucket, Key=lake.key(found.path))
    written_as = answer["ETag"].strip('"')
    try:
        said: dict[str, Any] = json.loads(answer["Body"].read())
        return Receipt(size=said["size"], etag=said["sha256"], version=said.get("version_id"), written_as=written_as)
    except (ValueError, KeyError, TypeError):
        # It counts as not made, and is written anew.
        return Receipt(size=-1, etag="", version=None, written_as=written_as)
