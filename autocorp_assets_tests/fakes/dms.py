"""DMS as AWS documents it, on top of moto's: statuses, start types, stop reasons, table statistics, metrics.

Rules are those of the API reference (StartReplicationTask, ReplicationTask, TableStatistics, ReloadTables) and of
the user guide ("Using Amazon S3 as a target", "Monitoring AWS DMS tasks").

Without more, a task behaves well: a start leads to `running` by the next look, every table of `source` is loaded by
the next look at the statistics, and each look leaves a data point of no lag. A test deviates from that through the
task's attributes, through `steps`, of which each look at the task takes one, or with `feed` (dms_feed.py), which has
the real replicator write what the task writes.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.exceptions import JsonRESTError
from moto.dms.exceptions import InvalidResourceStateFault, ResourceNotFoundFault
from moto.dms.models import Endpoint, FakeReplicationTask, dms_backends
from moto.dms.responses import DatabaseMigrationServiceResponse
from moto.s3.models import s3_backends

from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.aws import dms_settings
from autocorp_assets.resources.aws.clients import client

if TYPE_CHECKING:
    from autocorp_assets_tests.fakes.dms_feed import Feed

ACCOUNT = "123456789012"
SOURCE_SCHEMA = "public"
FIRST, RESUME, RELOAD = "start-replication", "resume-processing", "reload-target"
STARTABLE = ("ready", "stopped", "failed")
METRICS = ("CDCLatencySource", "CDCLatencyTarget", "CDCIncomingChanges")
AHEAD = timedelta(seconds=3)
"""Data points of well-behaved tasks are this much later than now, so that a test need not wait for one."""
Step = Callable[["Task"], None]


@dataclass
class Table:
    """A row of the table statistics."""

    state: str = "Before load"
    rows: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    reloaded: bool = False
    updated: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)
    """By Op, and DDL."""

    def to_dict(self, name: str) -> dict[str, Any]:
        counts = {"Inserts": "I", "Updates": "U", "Deletes": "D", "Ddls": "DDL"}
        return {
            "SchemaName": SOURCE_SCHEMA,
            "TableName": name,
            **{name: self.counts[op] for name, op in counts.items()},
            **{f"Applied{name}": self.counts[op] for name, op in counts.items()},
            "FullLoadRows": self.rows,
            "FullLoadCondtnlChkFailedRows": 0,
            "FullLoadErrorRows": 0,
            **_times({"FullLoadStartTime": self.started, "FullLoadEndTime": self.ended}),
            "FullLoadReloaded": self.reloaded,
            **_times({"LastUpdateTime": self.updated}),
            "TableState": self.state,
            "ValidationState": "Not enabled",
        }


@dataclass
class Task:
    """What a test can see and set of a replication task."""

    identifier: str
    arn: str
    region: str
    moto: FakeReplicationTask
    status: str = "creating"
    stop_reason: str | None = None
    failure: str | None = None
    checkpoint: str | None = None
    stats: dict[str, datetime | None] = field(default_factory=dict)
    """Dates of ReplicationTaskStats by name."""
    tables: dict[str, Table] = field(default_factory=dict)
    source: dict[str, list[pa.Table]] = field(default_factory=lambda: {name: [] for name in TABLES})
    """What a load of each table writes, a LOAD file for each element."""
    others: int = 0
    """Tables besides, which come first in the statistics."""
    slow: Counter[str] = field(default_factory=Counter)
    """How many looks at the statistics a table's load takes."""
    broken: Counter[str] = field(default_factory=Counter)
    """How many loads of a table end in "Table error"."""
    latency: float | None = 0.0
    """Of the data points; None for none."""
    steps: deque[Step] = field(default_factory=deque)
    starts: list[str] = field(default_factory=list)
    """Start types that were asked for and granted."""
    reloads: list[str] = field(default_factory=list)
    """Tables that were reloaded alone."""
    feed: Feed | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    # What AWS's users ask for

    def start(self, how: str) -> None:
        has_run = self.stats.get("FreshStartDate") is not None
        if self.status not in STARTABLE:
            raise InvalidResourceStateFault(f"Replication Task cannot be started, as it's not in a valid state: {how}")
        if how not in ((RESUME, RELOAD) if has_run else (FIRST,)):
            raise InvalidResourceStateFault(
                f"Start type {how} is not valid for a task that has {'' if has_run else 'never '}run"
            )
        self.starts.append(how)
        self.status, self.stop_reason, self.failure = "starting", None, None
        now = _now()
        self.stats |= {"StartDate": now, "StopDate": None}
        if how != RESUME:
            self.stats |= {"FreshStartDate": now, "FullLoadStartDate": now, "FullLoadFinishDate": None}
            self.tables = {name: Table() for name in self.source}
        if self.feed is not None:
            self.feed.start(load_anew=how == RELOAD)

    def stop(self) -> None:
        if self.status not in {"running", "starting"}:
            raise InvalidResourceStateFault("Replication task is not running")
        self.status, self.stop_reason = "stopping", "Stop Reason NORMAL"
        if self.feed is not None:
            self.feed.stop()

    def reload(self, names: Iterable[str]) -> None:
        if self.status != "running":
            raise InvalidResourceStateFault("Replication task must be running to reload tables")
        names = list(names)
        for name in names:
            if name not in self.tables:
                raise ResourceNotFoundFault(f"Table {SOURCE_SCHEMA}.{name} could not be found")
        for name in names:
            self.reloads.append(name)
            self.tables[name].reloaded = True
            self.tables[name].state = "Table is being reloaded"
        if self.feed is not None:
            self.feed.reload(names)

    # What DMS does by itself, or a test has it do

    def look(self) -> None:
        """Time goes by: one step of the test's script, or what the status leads to."""
        with self.lock:
            if self.steps:
                self.steps.popleft()(self)
            else:
                self._advance()
            if self.status == "running" and self.latency is not None and self.feed is None:
                self.publish(self.latency, at=datetime.now(UTC) + AHEAD)

    def _advance(self) -> None:
        match self.status:
            case "creating":
                self.status = "ready"
            case "starting" if self.feed is None or self.feed.is_running:
                self.run()
            case "stopping":
                self.status = "stopped"
                self.stats["StopDate"] = _now()
            case "modifying":
                self.status = "stopped" if self.stats.get("FreshStartDate") else "ready"

    def run(self) -> None:
        """The task runs, and loads begin for the tables that wait for theirs."""
        self.status = "running"
        self.checkpoint = "checkpoint:V1#1#0/0#0#0#0"
        for table in self.tables.values():
            if table.state == "Before load":
                table.state, table.started = "Full load", _now()

    def fail(self, reason: str = "RECOVERABLE_ERROR", message: str | None = None, *, status: str = "failed") -> None:
        """The task ends by itself."""
        self.status, self.failure = status, message
        self.stop_reason = f"Stop Reason {reason}" if reason else None
        self.stats["StopDate"] = _now()
        if self.feed is not None:
            self.feed.stop()

    def load(self) -> None:
        """Loads go on: called with each look at the statistics."""
        with self.lock:
            for name, table in self.tables.items():
                if self.feed is not None or table.state not in {"Full load", "Table is being reloaded"}:
                    continue
                if self.slow[name] > 0:
                    self.slow[name] -= 1
                    table.rows += 1
                    continue
                self.begin_load(name)
                if self.broken[name] > 0:
                    self.broken[name] -= 1
                    table.state, table.updated = "Table error", _now()
                else:
                    self.write_load(name, self.source[name])

    def begin_load(self, name: str) -> None:
        table = self.tables[name]
        if table.state == "Table is being reloaded" or table.started is None:
            table.started = _now()

    def write_load(self, name: str, files: Iterable[pa.Table]) -> None:
        """The files of a load, numbered from 1, and the end of it."""
        rows = 0
        for number, content in enumerate(files, start=1):
            self.put(f"{name}/LOAD{number:08X}.parquet", content)
            rows += content.num_rows
        self.complete(name, rows)

    def complete(self, name: str, rows: int) -> None:
        table = self.tables[name]
        table.state, table.rows, table.ended, table.updated = "Table completed", rows, _now(), _now()
        if all(one.ended or one.state == "Table error" for one in self.tables.values()):
            self.stats["FullLoadFinishDate"] = self.stats.get("FullLoadFinishDate") or _now()

    def put(self, path: str, content: pa.Table) -> None:
        """A file below the folder of the target schema."""
        bucket, prefix = self.target
        sink = io.BytesIO()
        pq.write_table(content, sink)
        s3_backends[ACCOUNT]["aws"].put_object(bucket, f"{prefix}/{path}", sink.getvalue())

    @property
    def target(self) -> tuple[str, str]:
        """Bucket and folder: of the S3 endpoint's settings and the schema's new name in the table mappings."""
        endpoints = dms_backends[ACCOUNT][self.region].endpoints.values()
        settings = next(one.s3_settings for one in endpoints if one.endpoint_arn == self.moto.target_endpoint_arn)
        assert settings is not None
        rules = json.loads(self.moto.table_mappings)["rules"]
        of_schema = [rule for rule in rules if rule.get("rule-target") == "schema"]
        renamed = [rule["value"] for rule in of_schema if rule["rule-action"] == "rename"]
        return settings["BucketName"], f"{settings['BucketFolder']}/{renamed[0] if renamed else SOURCE_SCHEMA}"

    def publish(self, latency: float, *, at: datetime, changes: int = 0) -> None:
        """Data points as AWS/DMS has them."""
        instances = dms_backends[ACCOUNT][self.region].replication_instances
        dimensions = [
            {"Name": "ReplicationInstanceIdentifier", "Value": instances[self.moto.replication_instance_arn].id},
            {"Name": "ReplicationTaskIdentifier", "Value": self.arn.rsplit(":", 1)[-1]},
        ]
        cloudwatch_backends[ACCOUNT][self.region].put_metric_data(
            "AWS/DMS",
            [
                {"MetricName": name, "Dimensions": dimensions, "Timestamp": at.replace(tzinfo=None), "Value": value}
                for name, value in zip(METRICS, (latency, latency, changes), strict=True)
            ],
        )

    def to_dict(self) -> dict[str, Any]:
        states = Counter(table.state for table in self.tables.values())
        done = states["Table completed"]
        return {
            **{key: value for key, value in self.moto.to_dict().items() if value is not None},
            "ReplicationTaskArn": self.arn,
            "Status": self.status,
            **({"StopReason": self.stop_reason} if self.stop_reason and self.status in {"stopped", "failed"} else {}),
            **({"LastFailureMessage": self.failure} if self.failure else {}),
            **({"RecoveryCheckpoint": self.checkpoint} if self.checkpoint else {}),
            **_times({"ReplicationTaskStartDate": self.stats.get("StartDate")}),
            "ReplicationTaskStats": {
                "FullLoadProgressPercent": 100 * done // max(1, len(self.tables)),
                "ElapsedTimeMillis": 0,
                "TablesLoaded": done,
                "TablesLoading": states["Full load"] + states["Table is being reloaded"],
                "TablesQueued": states["Before load"],
                "TablesErrored": states["Table error"],
                **_times(self.stats),
            },
        }

    def statistics(self) -> list[dict[str, Any]]:
        others = [
            {"SchemaName": "audit", "TableName": f"t{number:06d}", "TableState": "Table completed", "FullLoadRows": 0}
            for number in range(self.others)
        ]
        return others + [table.to_dict(name) for name, table in sorted(self.tables.items())]


class Dms:
    """All tasks of the server, for tests."""

    def create(self, identifier: str, *, lake: str) -> Task:
        """Instance, endpoints and task as the platform wants them, asked for as the infrastructure would."""
        dms = client("dms")
        instance = dms.create_replication_instance(
            ReplicationInstanceIdentifier=identifier, ReplicationInstanceClass="dms.t3.medium"
        )["ReplicationInstance"]["ReplicationInstanceArn"]
        source = dms.create_endpoint(
            EndpointIdentifier=f"{identifier}-source",
            EndpointType="source",
            EngineName="postgres",
            PostgreSQLSettings=dms_settings.source_settings(),
        )["Endpoint"]["EndpointArn"]
        target = dms.create_endpoint(
            EndpointIdentifier=f"{identifier}-target",
            EndpointType="target",
            EngineName="s3",
            S3Settings=dms_settings.target_settings(lake),
        )["Endpoint"]["EndpointArn"]
        dms.create_replication_task(
            ReplicationTaskIdentifier=identifier,
            SourceEndpointArn=source,
            TargetEndpointArn=target,
            ReplicationInstanceArn=instance,
            MigrationType=dms_settings.MIGRATION_TYPE,
            TableMappings=json.dumps(dms_settings.table_mappings()),
            ReplicationTaskSettings=json.dumps(dms_settings.task_settings()),
        )
        return self.task(identifier)

    def task(self, identifier: str) -> Task:
        found = [task for task in _tasks() if task.identifier == identifier]
        assert found, f"no task {identifier}"
        return found[0]

    def close(self) -> None:
        """End what feeds tasks: no process is left afterwards."""
        for task in _tasks():
            if task.feed is not None:
                task.feed.close()


DMS = Dms()


def _tasks() -> list[Task]:
    return [
        _task(task)
        for account in list(dms_backends.values())
        for backend in list(account.values())
        for task in list(backend.replication_tasks.values())
    ]


def _task(task: FakeReplicationTask) -> Task:
    found = getattr(task, "fake", None)
    if found is None:
        found = Task(identifier=task.id, arn=task.arn, region=task.region, moto=task)
        setattr(task, "fake", found)  # noqa: B010 it goes where moto's reset takes it along
    return found


class Responses(DatabaseMigrationServiceResponse):
    """The methods that replace moto's; it dispatches by name."""

    def describe_replication_tasks(self) -> str:
        found = list(self.dms_backend.describe_replication_tasks(self._get_param("Filters", []), 0))
        if not found:
            raise ResourceNotFoundFault("No Tasks found matching given filter")
        for task in found:
            _task(task).look()
        left_out = {"TableMappings", "ReplicationTaskSettings"} if self._get_param("WithoutSettings") else set()
        described = [_task(task).to_dict() for task in found]
        return json.dumps(
            {"ReplicationTasks": [{k: v for k, v in one.items() if k not in left_out} for one in described]}
        )

    def start_replication_task(self) -> str:
        task = self._found()
        with task.lock:
            task.start(self._get_param("StartReplicationTaskType"))
            return json.dumps({"ReplicationTask": task.to_dict()})

    def stop_replication_task(self) -> str:
        task = self._found()
        with task.lock:
            task.stop()
            return json.dumps({"ReplicationTask": task.to_dict()})

    def modify_replication_task(self) -> str:
        task = self._found()
        if task.status not in STARTABLE:
            raise InvalidResourceStateFault("Replication task must be stopped to be modified")
        task.moto.table_mappings = self._get_param("TableMappings") or task.moto.table_mappings
        task.moto.replication_task_settings = (
            self._get_param("ReplicationTaskSettings") or task.moto.replication_task_settings
        )
        task.moto.migration_type = self._get_param("MigrationType") or task.moto.migration_type
        task.status = "modifying"
        return json.dumps({"ReplicationTask": task.to_dict()})

    def describe_table_statistics(self) -> str:
        task = self._found()
        size = int(self._get_param("MaxRecords") or 100)
        if not 20 <= size <= 500:
            raise JsonRESTError("InvalidParameterValueException", "MaxRecords must be between 20 and 500")
        start = int(self._get_param("Marker") or 0)
        if not start:
            task.load()
        rows = task.statistics()
        for chosen in self._get_param("Filters") or []:
            key = {"schema-name": "SchemaName", "table-name": "TableName", "table-state": "TableState"}[chosen["Name"]]
            rows = [row for row in rows if row[key] in chosen["Values"]]
        marker = {"Marker": str(start + size)} if start + size < len(rows) else {}
        page = rows[start : start + size]
        return json.dumps({"ReplicationTaskArn": task.arn, "TableStatistics": page, **marker})

    def reload_tables(self) -> str:
        task = self._found()
        tables = self._get_param("TablesToReload")
        if any(table["SchemaName"] != SOURCE_SCHEMA for table in tables):
            raise ResourceNotFoundFault("Table could not be found")
        with task.lock:
            task.reload(table["TableName"] for table in tables)
        return json.dumps({"ReplicationTaskArn": task.arn})

    def describe_endpoints(self) -> str:
        found = self.dms_backend.describe_endpoints(self._get_param("Filters", []), None, None)
        if not found:
            raise ResourceNotFoundFault("No Endpoints found matching given filter")
        return json.dumps({"Endpoints": [_endpoint(one) for one in found]})

    def _found(self) -> Task:
        arn = self._get_param("ReplicationTaskArn")
        task = self.dms_backend.replication_tasks.get(arn)
        if task is None:
            raise ResourceNotFoundFault(f"Replication Task {arn} could not be found")
        return _task(task)


S3_DEFAULTS = {
    "CsvRowDelimiter": "\\n",
    "CsvDelimiter": ",",
    "CompressionType": "NONE",
    "DataFormat": "csv",
    "EnableStatistics": True,
    "DatePartitionEnabled": False,
}
"""What AWS answers where nothing was said."""
PATCHED = (
    "describe_replication_tasks",
    "start_replication_task",
    "stop_replication_task",
    "describe_endpoints",
)
"""Methods that moto has and that are replaced."""
ADDED = ("modify_replication_task", "describe_table_statistics", "reload_tables")
BACKEND_NAMES = ("replication_tasks", "replication_instances", "endpoints")


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    said = {key: value for key, value in endpoint.to_dict().items() if value is not None}
    said["Status"] = "active"
    if endpoint.engine_name == "s3":
        said["S3Settings"] = {**S3_DEFAULTS, **(endpoint.s3_settings or {})}
    if postgres := said.get("PostgreSQLSettings"):
        said["PostgreSQLSettings"] = {key: value for key, value in postgres.items() if key != "Password"}
    return said


def install() -> None:
    """Teach moto; done once a process."""
    for name in (*PATCHED, *ADDED, "_found"):
        setattr(DatabaseMigrationServiceResponse, name, getattr(Responses, name))
    if FakeReplicationTask.__init__ is not _init:
        FakeReplicationTask.__init__ = _init


_moto_init = FakeReplicationTask.__init__


def _init(self: FakeReplicationTask, *args: Any, **named: Any) -> None:
    """AWS's ARNs end with a resource id, and not with the identifier."""
    _moto_init(self, *args, **named)
    digest = hashlib.sha256(self.id.encode()).hexdigest()[:26].upper()
    self.arn = f"{self.arn.rsplit(':', 1)[0]}:{digest}"


def _now() -> datetime:
    return datetime.now(UTC)


def _times(times: Mapping[str, datetime | None]) -> dict[str, float]:
    """As DMS's protocol has them: seconds of the epoch, to the millisecond."""
    return {name: round(time.timestamp(), 3) for name, time in times.items() if time is not None}
