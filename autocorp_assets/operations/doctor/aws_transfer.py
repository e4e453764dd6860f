"""The DataSync tasks: one a feed, which verifies what it writes, into the feed's folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autocorp_assets.contracts import FEEDS
from autocorp_assets.contracts.raw_format import feed_prefix
from autocorp_assets.operations.doctor.finding import Finding, failure, ok
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.settings import Settings

VERIFIES = "ONLY_FILES_TRANSFERRED"
PAGE = 100


def tasks(settings: Settings) -> Iterator[Finding]:
    datasync = client("datasync")
    pages = datasync.get_paginator("list_tasks").paginate(PaginationConfig={"PageSize": PAGE})
    by_name = {task.get("Name", ""): task["TaskArn"] for page in pages for task in page["Tasks"]}
    arns = set(by_name.values())
    for feed in FEEDS:
        subject = f"DataSync: {feed}"
        named = settings.aws.transfer_tasks.get(feed, f"autocorp-{feed}")
        arn = named if named in arns else by_name.get(named)
        if arn is None:
            remedy = "create it (the infrastructure does), or name another in AUTOCORP_AWS_TRANSFER_TASKS"
            yield failure(subject, f"there is no task {named} in this account and region", remedy)
        else:
            yield from _task(settings, feed, datasync.describe_task(TaskArn=arn))


def _task(settings: Settings, feed: str, task: dict[str, Any]) -> Iterator[Finding]:
    subject, arn = f"DataSync: {feed}", task["TaskArn"]
    problems = []
    if task.get("Status") == "UNAVAILABLE":
        said = task.get("ErrorDetail") or task.get("ErrorCode") or "its agent is offline"
        problems.append(failure(subject, f"the task is unavailable: {said}", "start its agent, or see its network"))
    mode = (task.get("Options") or {}).get("VerifyMode")
    if mode == "NONE":
        remedy = f"aws datasync update-task --task-arn {arn} --options VerifyMode={VERIFIES}"
        problems.append(failure(subject, "the task does not verify what it writes (VerifyMode NONE)", remedy))
    wanted = f"{settings.aws.lake}/{feed_prefix(feed)}"
    destination = _destination(task["DestinationLocationArn"])
    if destination != wanted:
        remedy = f"create the task anew with {wanted}/ as its destination: a task's destination cannot be changed"
        problems.append(failure(subject, f"the task writes to {destination}", remedy))
    yield from problems or [ok(subject, f"{arn} writes to {destination}, {mode or 'default'} verified")]


def _destination(location: str) -> str:
    """URL of the task's destination, without a slash at its end; its ARN where it is not in S3."""
    datasync = client("datasync")
    try:
        return datasync.describe_location_s3(LocationArn=location)["LocationUri"].rstrip("/")
    except datasync.exceptions.InvalidRequestException:
        return location
