"""The requests that concern one DMS task; AWS's errors become ReplicationErrors that say what to do."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.aws.dms_task import SOURCE_SCHEMA, StartType, TableStatistics, Task, by_table
from autocorp_assets.resources.ports.replication import ReplicationError

LARGEST_PAGE = 500
"""Of DescribeTableStatistics: 20 to 500."""
NAMESPACE = "AWS/DMS"
LAG_METRIC = "CDCLatencyTarget"
"""Seconds between the oldest change that is not yet committed on the target and now; DMS publishes it every minute."""
PERIOD_SECONDS = 60
LAG_PERIODS = 15
"""How far back a data point is looked for: CloudWatch has DMS's after a minute or two."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """One data point."""

    at: datetime
    """Start of its minute."""
    seconds: float

    @property
    def reached(self) -> datetime:
        """Everything that the source committed before it has been written to raw."""
        return self.at - timedelta(seconds=self.seconds)


class TaskMissingError(ReplicationError):
    """There is no task of that name."""


@contextmanager
def plainly(task: str) -> Generator[None]:
    """Raises ReplicationError in place of what boto3 raised."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        message = f"DMS task {task}: {explain(error)}"
        raise ReplicationError(message) from error


@dataclass(kw_only=True)
class DmsApi:
    """One task, by its identifier."""

    identifier: str
    period_seconds: int = PERIOD_SECONDS
    """Of the metric; DMS has one data point a minute."""
    latest: Task | None = field(default=None, init=False)
    """As it was last described; its ARN and history hold, its status may not."""
    _instances: dict[str, str] = field(default_factory=dict, init=False)
    """Identifiers by ARN, as far as they have been asked for."""

    @property
    def _dms(self) -> Any:
        return client("dms")

    def describe(self) -> Task:
        """One request.

        Raises:
            TaskMissingError: there is no such task.
            ReplicationError: AWS does not say.
        """
        from botocore.exceptions import ClientError

        filters = [{"Name": "replication-task-id", "Values": [self.identifier]}]
        with plainly(self.identifier):
            try:
                answer = self._dms.describe_replication_tasks(Filters=filters, WithoutSettings=True)
                found = answer["ReplicationTasks"]
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundFault":
                    raise
                answer, found = {}, []
        if not found:
            message = (
                f"there is no DMS task {self.identifier} in {self._dms.meta.region_name}: create it, or name the one "
                "that there is in AUTOCORP_AWS_REPLICATION_TASK"
            )
            raise TaskMissingError(message)
        self.latest = Task.of(found[0], asked_at=_date(answer))
        return self.latest

    def statistics(self, task: Task) -> dict[str, TableStatistics]:
        """Of the contracts' tables; one request for every 500 tables of the task."""
        pages = self._dms.get_paginator("describe_table_statistics").paginate(
            ReplicationTaskArn=task.arn, PaginationConfig={"PageSize": LARGEST_PAGE}
        )
        with plainly(self.identifier):
            return by_table(row for page in pages for row in page["TableStatistics"])

    def start(self, task: Task, how: StartType) -> None:
        """Ask for it; that somebody else has asked at the same time is as good.

        Raises:
            ReplicationError: it may not be, or cannot be started.
        """
        from botocore.exceptions import ClientError

        with plainly(self.identifier):
            try:
                self._dms.start_replication_task(ReplicationTaskArn=task.arn, StartReplicationTaskType=str(how))
            except ClientError as error:
                is_taken = error.response["Error"]["Code"] == "InvalidResourceStateFault"
                if not (is_taken and self.describe().status in {"starting", "running"}):
                    raise

    def reload_tables(self, task: Task, tables: Sequence[str]) -> None:
        """Load tables anew; the task has to be running.

        Raises:
            ReplicationError: it is not.
        """
        with plainly(self.identifier):
            self._dms.reload_tables(
                ReplicationTaskArn=task.arn,
                TablesToReload=[{"SchemaName": SOURCE_SCHEMA, "TableName": table} for table in tables],
            )

    def lag(self, task: Task) -> Lag | None:
        """The newest data point, None when there is none yet. One request, the metric under two names.

        The dimension ReplicationTaskIdentifier is documented as the task's identifier, and seen as the resource id
        at the end of its ARN: whichever has data is taken.
        """
        now, window = datetime.now(UTC), timedelta(seconds=LAG_PERIODS * self.period_seconds)
        names = dict.fromkeys((task.arn.rsplit(":", 1)[-1], task.identifier))
        queries = [
            {
                "Id": f"lag{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": NAMESPACE,
                        "MetricName": LAG_METRIC,
                        "Dimensions": [
                            {"Name": "ReplicationInstanceIdentifier", "Value": self._instance(task)},
                            {"Name": "ReplicationTaskIdentifier", "Value": name},
                        ],
                    },
                    "Period": self.period_seconds,
                    "Stat": "Maximum",
                },
            }
            for number, name in enumerate(names)
        ]
        with plainly(self.identifier):
            answer = client("cloudwatch").get_metric_data(
                MetricDataQueries=queries,
                StartTime=now - window,
                EndTime=now + window,  # the clock of AWS may be ahead of ours
                ScanBy="TimestampDescending",
            )
        points = [
            Lag(at=at.astimezone(UTC), seconds=seconds)
            for result in answer["MetricDataResults"]
            for at, seconds in zip(result["Timestamps"], result["Values"], strict=True)
        ]
        return max(points, key=lambda point: point.at, default=None)

    def _instance(self, task: Task) -> str:
        """Identifier of the replication instance, which the task only gives the ARN of; asked for once."""
        known = self._instances
        if task.instance_arn not in known:
            filters = [{"Name": "replication-instance-arn", "Values": [task.instance_arn]}]
            with plainly(self.identifier):
                found = self._dms.describe_replication_instances(Filters=filters)["ReplicationInstances"]
            if not found:
                message = f"DMS task {self.identifier} has no replication instance {task.instance_arn}: give it one"
                raise ReplicationError(message)
            known[task.instance_arn] = found[0]["ReplicationInstanceIdentifier"]
        return known[task.instance_arn]


def _date(answer: Mapping[str, Any]) -> datetime:
    """When AWS answered, by its own clock: what its metrics say is compared with that."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    # Whole seconds: the moment asked for lies within the next.
    return parsedate_to_datetime(date) + timedelta(seconds=1) if date else datetime.now(UTC)
