"""DataSync on moto, as AWS documents it: phases, results, counters, and a transfer that really copies.

Sources: botocore's model of the service (statuses, result, counters, list_task_executions, tags) and the user guide
(one execution a task at a time; what is new or changed is found while PREPARING). A describe moves an execution one
phase on, unless the test wants it otherwise (`Controls.phases_a_describe`).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from moto.datasync.exceptions import InvalidRequestException
from moto.datasync.models import DataSyncBackend, TaskExecution, datasync_backends
from moto.datasync.responses import DataSyncResponse
from moto.s3.models import s3_backends

from autocorp_assets.resources.aws.clients import client

REGION = "eu-central-1"
ACCOUNT = "123456789012"
PHASES = ("QUEUED", "LAUNCHING", "PREPARING", "TRANSFERRING", "VERIFYING", "SUCCESS")
ENDED = ("SUCCESS", "ERROR")
_RESULT_PHASES = {"PREPARING": "Prepare", "TRANSFERRING": "Transfer", "VERIFYING": "Verify"}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How one execution fails."""

    phase: str = "TRANSFERRING"
    code: str = "FileReadError"
    detail: str = "the share cannot be read"
    files: int = 0
    """Copied before it fails."""


@dataclass
class Controls:
    """What the test decides; emptied with moto's reset."""

    folders: dict[str, Path] = field(default_factory=dict)
    """By the ARN of a location that is no S3 one: what lies behind the agent."""
    failures: list[Failure] = field(default_factory=list)
    """Each fails one execution, in the order in which they start."""
    phases_a_describe: int = 1
    """How far each describe moves an execution; 0: only the test does."""
    part_bytes: int = 1 << 30
    """What is larger is written in parts, and so has an ETag that is no digest of its content."""


def _backend() -> Any:
    """moto's, with what `install` has added."""
    return datasync_backends[ACCOUNT][REGION]


def controls() -> Controls:
    return _backend().controls


def make_task(feed: str, *, source: Path | str, lake: str, name: str | None = None, **options: Any) -> str:
    """A task as the infrastructure makes it, through the API; returns its ARN.

    Args:
        feed: whose files it brings into `raw/csv/<feed>/`.
        source: a folder, standing for a share behind an agent, or `s3://bucket/prefix`.
        lake: `s3://bucket/prefix`.
        name: `autocorp-<feed>` unless given.
        options: further arguments of CreateTask, such as Options or Includes.
    """
    datasync = client("datasync")
    if isinstance(source, Path):
        location = datasync.create_location_smb(
            ServerHostname="exports.example.com", Subdirectory="/", User="autocorp", AgentArns=[_AGENT]
        )["LocationArn"]
        controls().folders[location] = source
    else:
        location = _s3_location(source)
    return datasync.create_task(
        SourceLocationArn=location,
        DestinationLocationArn=_s3_location(f"{lake}/raw/csv/{feed}"),
        Name=name or f"autocorp-{feed}",
        **{"Options": {"VerifyMode": "ONLY_FILES_TRANSFERRED"}, **options},
    )["TaskArn"]


_AGENT = f"arn:aws:datasync:{REGION}:{ACCOUNT}:agent/agent-0123456789abcdef0"


def _s3_location(url: str) -> str:
    bucket, prefix = _bucket_and_prefix(url)
    return client("datasync").create_location_s3(
        S3BucketArn=f"arn:aws:s3:::{bucket}",
        Subdirectory=prefix,
        S3Config={"BucketAccessRoleArn": f"arn:aws:iam::{ACCOUNT}:role/datasync"},
    )["LocationArn"]


def _bucket_and_prefix(url: str) -> tuple[str, str]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/")


def take_agent_offline(task_arn: str) -> None:
    """The task is then UNAVAILABLE."""
    _backend().tasks[task_arn].status = "UNAVAILABLE"


def advance(execution_arn: str, *, until: str | None = None) -> str:
    """One phase on, or as far as `until`; returns the status."""
    execution = _backend().task_executions[execution_arn]
    execution.advance()
    while until is not None and execution.status not in (until, *ENDED):
        execution.advance()
    return execution.status


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    """Relative to the location."""
    size: int
    modified: float
    read: Callable[[], bytes]


class Execution(TaskExecution):
    """One run of a task."""

    def __init__(self, backend: Any, task: Any, number: int, tags: list[dict[str, str]]) -> None:
        super().__init__(task.arn, arn_counter=number)
        self.backend, self.task, self.tags = backend, task, tags
        self.status = PHASES[0]
        failures = backend.controls.failures
        self.failure: Failure | None = failures.pop(0) if failures else None
        self.started = self.entered = time.time()
        self.found: list[_File] = []
        self.result: dict[str, Any] = {f"{phase}Status": "PENDING" for phase in _RESULT_PHASES.values()}
        self.counters: dict[str, Any] = {}

    def cancel(self) -> None:
        if self.status in ENDED:
            raise InvalidRequestException(f"Task execution {self.arn} has ended.")
        self.status = "CANCELLING"

    def advance(self) -> None:
        """Do the present phase's work and go to the next one."""
        if self.status in ENDED:
            return
        if self.status == "CANCELLING":
            self._end("ERROR")
        elif self.failure and self.failure.phase == self.status:
            self._copy(self.found[: self.failure.files])
            self._close_phase("ERROR")
            self.result |= {"ErrorCode": self.failure.code, "ErrorDetail": self.failure.detail}
            self._end("ERROR")
        else:
            {"LAUNCHING": self._list, "TRANSFERRING": self._copy, "VERIFYING": self._verify}.get(
                self.status, lambda: None
            )()
            self._close_phase("SUCCESS")
            self.status = PHASES[PHASES.index(self.status) + 1]
            self.task.status = "QUEUED" if self.status == "QUEUED" else "RUNNING"
            if self.status in ENDED:
                self._end(self.status)

    def _close_phase(self, status: str) -> None:
        name = _RESULT_PHASES.get(self.status)
        if name:
            self.result |= {f"{name}Status": status, f"{name}Duration": int((time.time() - self.entered) * 1000)}
        self.entered = time.time()

    def _end(self, status: str) -> None:
        self.status, self.ended, self.task.status = status, time.time(), "AVAILABLE"
        self.result["TotalDuration"] = int((self.ended - self.started) * 1000)

    def _list(self) -> None:
        """What differs between source and destination, as it is when PREPARING begins."""
        self.found = [file for file in self._source() if self._differs(file)]
        self.counters |= {
            "EstimatedFilesToTransfer": len(self.found),
            "EstimatedBytesToTransfer": sum(file.size for file in self.found),
        }

    def _source(self) -> Iterator[_File]:
        folder = self.backend.controls.folders.get(self.task.source_location_arn)
        files = _files_of(folder) if folder else _objects_of(self.backend.locations[self.task.source_location_arn].uri)
        patterns = [
            pattern for rule in self.task.metadata.get("Includes") or [] for pattern in rule["Value"].split("|")
        ]
        return (file for file in files if not patterns or any(fnmatch(f"/{file.name}", item) for item in patterns))

    def _differs(self, file: _File) -> bool:
        bucket, key = self._destination(file)
        there = s3_backends[ACCOUNT]["aws"].buckets[bucket].keys.get(key)
        return there is None or self.backend.copied.get((bucket, key)) != (file.size, file.modified)

    def _destination(self, file: _File) -> tuple[str, str]:
        bucket, prefix = _bucket_and_prefix(self.backend.locations[self.task.destination_location_arn].uri)
        return bucket, "/".join(part for part in (prefix, file.name) if part)

    def _copy(self, files: list[_File] | None = None) -> None:
        copied = 0
        for file in self.found if files is None else files:
            bucket, key = self._destination(file)
            content = file.read()
            parts = -(-len(content) // self.backend.controls.part_bytes)
            etag = f"{hashlib.md5(content).hexdigest()}-{parts}" if parts > 1 else None  # noqa: S324 as S3 does
            s3_backends[ACCOUNT]["aws"].put_object(bucket, key, content, etag=etag)
            self.backend.copied[(bucket, key)] = (file.size, file.modified)
            copied += len(content)
        number = len(self.found if files is None else files)
        self.counters |= {"FilesTransferred": number, "BytesWritten": copied, "BytesTransferred": copied}

    def _verify(self) -> None:
        self.counters["FilesVerified"] = self.counters["FilesTransferred"]

    def description(self) -> dict[str, Any]:
        ended = {"EndTime": self.ended} if self.status in ENDED else {}
        options = self.task.metadata["Options"] or {}
        return {
            "TaskExecutionArn": self.arn,
            "Status": self.status,
            "StartTime": self.started,
            "Options": options,
            "Result": self.result,
            "TaskMode": "BASIC",
            **self.counters,
            **ended,
        }


def _files_of(folder: Path) -> Iterator[_File]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            yield _File(
                name=path.relative_to(folder).as_posix(),
                size=status.st_size,
                modified=status.st_mtime,
                read=path.read_bytes,
            )


def _objects_of(url: str) -> Iterator[_File]:
    bucket, prefix = _bucket_and_prefix(url)
    start = f"{prefix}/" if prefix else ""
    for name, key in list(s3_backends[ACCOUNT]["aws"].buckets[bucket].keys.items()):
        if name.startswith(start) and not name.endswith("/"):
            yield _File(
                name=name.removeprefix(start),
                size=key.size,
                modified=key.last_modified.timestamp(),
                read=lambda key=key: key.value,
            )


def install() -> None:
    """Set what moto lacks on its classes."""
    make_backend, make_task_answer = DataSyncBackend.__init__, DataSyncResponse.create_task
    if hasattr(DataSyncResponse, "list_task_executions"):
        return

    def init(self: Any, region_name: str, account_id: str) -> None:
        make_backend(self, region_name, account_id)
        self.controls = Controls()
        self.copied = {}

    def create_task(self: Any) -> str:
        answer = make_task_answer(self)
        task = self.datasync_backend.tasks[json.loads(answer)["TaskArn"]]
        task.metadata["Includes"] = self._get_param("Includes")
        return answer

    DataSyncBackend.__init__ = init
    DataSyncResponse.create_task = create_task
    for method in (
        start_task_execution,
        list_task_executions,
        describe_task_execution,
        cancel_task_execution,
        list_tasks,
        list_tags_for_resource,
    ):
        setattr(DataSyncResponse, method.__name__, method)


def start_task_execution(self: Any) -> str:
    backend = self.datasync_backend
    task = backend.tasks.get(self._get_param("TaskArn"))
    if task is None:
        raise InvalidRequestException(f"Task {self._get_param('TaskArn')} is not found.")
    if task.status == "UNAVAILABLE":
        raise InvalidRequestException(f"Task {task.arn} is unavailable.")
    current = backend.task_executions.get(task.current_task_execution_arn)
    if current is not None and current.status not in ENDED:
        raise InvalidRequestException(f"Task {task.arn} has an execution in progress.")
    backend.arn_counter += 1
    execution: Any = Execution(backend, task, backend.arn_counter, self._get_param("Tags") or [])
    backend.task_executions[execution.arn] = execution
    task.current_task_execution_arn, task.status = execution.arn, "RUNNING"
    return json.dumps({"TaskExecutionArn": execution.arn})


def list_task_executions(self: Any) -> str:
    of = self._get_param("TaskArn")
    entries = [
        {"TaskExecutionArn": execution.arn, "Status": execution.status, "TaskMode": "BASIC"}
        for execution in self.datasync_backend.task_executions.values()
        if of in (None, execution.task_arn)
    ]
    return _page(self, "TaskExecutions", entries)


def list_tasks(self: Any) -> str:
    tasks = self.datasync_backend.tasks.values()
    return _page(self, "Tasks", [{"Name": task.name, "Status": task.status, "TaskArn": task.arn} for task in tasks])


def _page(response: Any, name: str, entries: list[dict[str, str]]) -> str:
    start, size = int(response._get_param("NextToken") or 0), response._get_param("MaxResults") or 100
    following = {"NextToken": str(start + size)} if len(entries) > start + size else {}
    return json.dumps({name: entries[start : start + size], **following})


def describe_task_execution(self: Any) -> str:
    execution = self.datasync_backend._get_task_execution(self._get_param("TaskExecutionArn"))
    answer = json.dumps(execution.description())
    for _ in range(self.datasync_backend.controls.phases_a_describe):
        execution.advance()
    return answer


def cancel_task_execution(self: Any) -> str:
    self.datasync_backend._get_task_execution(self._get_param("TaskExecutionArn")).cancel()
    return json.dumps({})


def list_tags_for_resource(self: Any) -> str:
    execution = self.datasync_backend._get_task_execution(self._get_param("ResourceArn"))
    return json.dumps({"Tags": execution.tags})
