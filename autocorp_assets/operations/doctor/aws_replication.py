"""The DMS task and its endpoints: there, and set so that nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from autocorp_assets.operations.doctor.finding import Finding, failure, ok, warning
from autocorp_assets.resources.aws import dms_settings
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.dms_settings import Difference
from autocorp_assets.settings import Settings

TUNING = (
    "ChangeProcessingTuning.",
    "Logging.",
    "FullLoadSettings.MaxFullLoadSubTasks",
    "CdcMaxBatchInterval",
    "CdcMinFileSize",
    "Heartbeat",
    "CaptureDdls",
)
"""Beginnings of the names of settings that cost time or money when they differ, and no data."""
FAILED = ("failed", "failed-move", "deleting")


def find_task(settings: Settings) -> dict[str, Any] | None:
    """The task as DMS describes it; None when there is none."""
    dms = client("dms")
    filters = [{"Name": "replication-task-id", "Values": [settings.aws.replication_task]}]
    try:
        found = dms.describe_replication_tasks(Filters=filters)["ReplicationTasks"]
    except dms.exceptions.ResourceNotFoundFault:
        return None
    return found[0] if found else None


def task(settings: Settings) -> Iterator[Finding]:
    """It exists, is fit to run, and is set as the lake needs it."""
    name = settings.aws.replication_task
    found = find_task(settings)
    if found is None:
        remedy = "create it (the infrastructure does), or name another in AUTOCORP_AWS_REPLICATION_TASK"
        yield failure("DMS task", f"there is no task {name} in this account and region", remedy)
        return
    status, reason = found["Status"], found.get("LastFailureMessage") or found.get("StopReason") or "no reason given"
    if status in FAILED:
        yield failure("DMS task", f"{name} is {status}: {reason}", "mend the cause; materialising raw starts it again")
    else:
        yield ok("DMS task", f"{name} is {status}")
    yield from _settings(found)


def _settings(found: dict[str, Any]) -> Iterator[Finding]:
    actual = json.loads(found.get("ReplicationTaskSettings") or "{}")
    wanted = dms_settings.task_settings()
    how = f"aws dms modify-replication-task --replication-task-arn {found['ReplicationTaskArn']}, while it is stopped"
    if found["MigrationType"] != dms_settings.MIGRATION_TYPE:
        said = f"the migration type is {found['MigrationType']}, and should be {dms_settings.MIGRATION_TYPE}"
        yield failure("DMS task: type", said, how)
    yield from _told("DMS task: settings", dms_settings.differences(actual, wanted), how)
    mappings = dms_settings.mapping_differences(json.loads(found.get("TableMappings") or "{}"))
    yield from _told("DMS task: tables", mappings, how)


def endpoints(settings: Settings) -> Iterator[Finding]:
    """Both exist, write where the lake is, and as its readers read."""
    found = find_task(settings)
    if found is None:
        return
    arns = [found["SourceEndpointArn"], found["TargetEndpointArn"]]
    answer = client("dms").describe_endpoints(Filters=[{"Name": "endpoint-arn", "Values": arns}])["Endpoints"]
    by_arn = {endpoint["EndpointArn"]: endpoint for endpoint in answer}
    for kind, arn, key, wanted in (
        ("source", arns[0], "PostgreSQLSettings", dms_settings.source_settings()),
        ("target", arns[1], "S3Settings", dms_settings.target_settings(settings.aws.lake)),
    ):
        subject = f"DMS endpoint: {kind}"
        if arn not in by_arn:
            yield failure(subject, f"{arn} does not exist", "create it, and the task with it")
            continue
        how = f"aws dms modify-endpoint --endpoint-arn {arn}, while the task is stopped"
        yield from _told(subject, dms_settings.differences(by_arn[arn].get(key) or {}, wanted), how)


def _told(subject: str, differences: Iterable[Difference], how: str) -> Iterator[Finding]:
    found = list(differences)
    for difference in found:
        is_tuning = difference.name.startswith(TUNING)
        yield (warning if is_tuning else failure)(subject, str(difference), how)
    if not found:
        yield ok(subject, "as the lake needs it")
