"""Executions of DataSync's tasks: start or join one, follow its phases, judge its result.

Facts: API reference of DataSync (botocore's model). A task runs one execution at a time and refuses another with
InvalidRequestException. What there is to move is found while PREPARING.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tenacity

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.transfer import TransferFailed

ENDED = ("SUCCESS", "ERROR")
NOT_LOOKED_YET = ("QUEUED", "LAUNCHING")
"""The source is listed only after these."""
POLL_SECONDS = 5.0
POLL_SECONDS_MAX = 60.0
STARTS = 3
"""How often others may be first to start the next execution before this is an error."""
OURS = {"Key": "autocorp:started-by", "Value": "dagster"}
"""Tag of executions whose result a run of ours takes in."""
REMEDIES = {
    "PrepareStatus": "source or destination could not be listed: check the agent, the share, and the role of the "
    "task's S3 locations",
    "TransferStatus": "files could not be read or written: check the share and the role of the task's S3 locations",
    "VerifyStatus": "what was written is not what the source holds: most often a file changed meanwhile. Let exports "
    "be written under another name and renamed when they are whole",
}


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What DataSync says of one execution."""

    arn: str
    said: Mapping[str, Any]
    """Answer of DescribeTaskExecution."""

    @property
    def status(self) -> str:
        return self.said["Status"]

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def result(self) -> Mapping[str, Any]:
        return self.said.get("Result") or {}

    @property
    def files(self) -> int:
        return self.said.get("FilesTransferred", 0)

    @property
    def details(self) -> dict[str, str | int | float]:
        """For the operator: the counters, and how long each phase took."""
        counters = ("FilesTransferred", "FilesVerified", "BytesTransferred", "BytesWritten")
        durations = ("PrepareDuration", "TransferDuration", "VerifyDuration", "TotalDuration")
        return {
            "execution": self.arn,
            **{_snake(name): self.said[name] for name in counters if name in self.said},
            **{f"{_snake(name)}_ms": self.result[name] for name in durations if name in self.result},
        }

    @property
    def complaint(self) -> str | None:
        """Why what it moved is not to be taken in, and what to do; None when all is well."""
        if self.status == "ERROR":
            phase = next((name for name in REMEDIES if self.result.get(name) == "ERROR"), None)
            code, detail = self.result.get("ErrorCode"), self.result.get("ErrorDetail")
            why = ": ".join(part for part in (code, detail) if part) or "it was cancelled, or says no reason"
            what = REMEDIES[phase] if phase else "see the task's log group in CloudWatch"
            return f"{why} ({phase or 'no phase'} ERROR). {what[0].upper()}{what[1:]}; the next transfer begins anew"
        if (self.said.get("Options") or {}).get("VerifyMode") == "NONE":
            return "the task does not verify what it writes: set its VerifyMode to ONLY_FILES_TRANSFERRED"
        if self.result.get("VerifyStatus", "SUCCESS") != "SUCCESS":
            return (
                f"verification is {self.result['VerifyStatus']} although the execution is {self.status}: run it again"
            )
        failed = self.said.get("FilesFailed") or {}
        if any(failed.values()):
            return f"files failed ({failed}): the task's log group in CloudWatch names them"
        return None

    @property
    def shortfall(self) -> str | None:
        """What the counters say is missing. No failure: AWS says that they are not exact for all kinds of locations."""
        wanted = self.said.get("EstimatedFilesToTransfer", 0)
        if self.files >= wanted:
            return None
        return f"DataSync moved {self.files} of {wanted} files: the task's log group in CloudWatch names the others"


@dataclass(frozen=True, kw_only=True)
class DatasyncTasks:
    """One task for each feed.

    Every method raises TransferFailed for what DataSync refuses, and botocore's errors for what it never got to say.
    """

    names: Mapping[str, str]
    """ARN or name of the task, by feed."""
    poll_seconds: float = POLL_SECONDS
    deadline_seconds: float

    def run(self, feed: str, on_progress: Progress) -> Execution:
        """The result of an execution that listed the source after this was called."""
        refusal = ""
        for _ in range(STARTS):
            arn, refusal = self._start(feed)
            if arn is not None:
                on_progress(f"DataSync has started {arn}")
                return self._follow(feed, arn, on_progress)
            running = self.current(feed)
            if running is None or running.has_ended:
                continue
            on_progress(f"DataSync is at it already, {running.status}: {running.arn}")
            joined = self._follow(feed, running.arn, on_progress)
            if running.status in NOT_LOOKED_YET:
                return joined
            on_progress("it may have listed the source before the newest export was there: one more")
        raise TransferFailed(
            f"{feed}: DataSync refused {STARTS} times to start task {self.task(feed)}: {refusal}. Look at the task "
            "in the console: whether it is configured, and who else starts it; the next transfer tries again"
        )

    def current(self, feed: str) -> Execution | None:
        """The newest execution of the feed's task; None when there never was one."""
        task = client("datasync").describe_task(TaskArn=self.task(feed))
        if task["Status"] == "UNAVAILABLE":
            raise TransferFailed(
                f"{feed}: task {task['Name']} is UNAVAILABLE ({task.get('ErrorCode')}: {task.get('ErrorDetail')}): its "
                "agent is most likely offline"
            )
        arn = task.get("CurrentTaskExecutionArn")
        return self.describe(arn) if arn else None

    def newest(self, feed: str) -> str | None:
        """ARN of the newest execution, if it has ended; costs one request."""
        task = client("datasync").describe_task(TaskArn=self.task(feed))
        return task.get("CurrentTaskExecutionArn") if task["Status"] not in {"RUNNING", "QUEUED"} else None

    def describe(self, arn: str) -> Execution:
        return Execution(arn=arn, said=client("datasync").describe_task_execution(TaskExecutionArn=arn))

    def is_ours(self, arn: str) -> bool:
        """Whether a run of ours started it."""
        return OURS in client("datasync").list_tags_for_resource(ResourceArn=arn)["Tags"]

    def task(self, feed: str) -> str:
        """ARN of the feed's task."""
        name = self.names[feed]
        if name.startswith("arn:"):
            return name
        arns = self._arns.get(name, ())
        if len(arns) != 1:
            there = "there is none" if not arns else f"there are {len(arns)}"
            raise TransferFailed(
                f"{feed}: of DataSync tasks called {name} {there} in this account and region. Name the task's ARN in "
                f'AUTOCORP_AWS_TRANSFER_TASKS, as {{"{feed}": "arn:…"}}, or create it'
            )
        return arns[0]

    @cached_property
    def _arns(self) -> Mapping[str, list[str]]:
        """ARNs of all tasks by name, which AWS does not keep unique."""
        arns: dict[str, list[str]] = {}
        for page in client("datasync").get_paginator("list_tasks").paginate(PaginationConfig={"PageSize": 100}):
            for task in page["Tasks"]:
                arns.setdefault(task.get("Name", ""), []).append(task["TaskArn"])
        return arns

    def _start(self, feed: str) -> tuple[str | None, str]:
        """ARN of a new execution, or why DataSync refuses one: most often because one goes on."""
        from botocore.exceptions import ClientError

        try:
            answer = client("datasync").start_task_execution(TaskArn=self.task(feed), Tags=[OURS])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidRequestException":
                raise
            return None, error.response["Error"]["Message"]
        return answer["TaskExecutionArn"], ""

    def _follow(self, feed: str, arn: str, on_progress: Progress) -> Execution:
        """Its state once it has ended."""
        phases: list[str] = []

        def look() -> Execution:
            found = self.describe(arn)
            if found.status not in phases:
                phases.append(found.status)
                on_progress(f"DataSync: {found.status}, {found.files} files moved")
            return found

        wait = tenacity.wait_exponential(multiplier=self.poll_seconds, max=max(self.poll_seconds, POLL_SECONDS_MAX))
        stop = tenacity.stop_after_delay(self.deadline_seconds)
        try:
            return tenacity.Retrying(wait=wait, stop=stop, retry=tenacity.retry_if_result(_goes_on))(look)
        except tenacity.RetryError:
            raise TransferFailed(
                f"{feed}: execution {arn} is still {phases[-1]} after {self.deadline_seconds / 60:,.0f} minutes. It "
                "goes on by itself, and the next transfer joins it; look at the agent and at the task's bandwidth limit"
            ) from None


def _goes_on(execution: Execution) -> bool:
    return not execution.has_ended


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
