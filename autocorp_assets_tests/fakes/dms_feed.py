"""A DMS task that is fed by the real replicator: what it writes to a folder is carried to moto's S3 as DMS writes it.

    task = DMS.create("autocorp", lake="s3://bucket/lake")
    with feed(task, dsn=…, folder=tmp_path):
        …  # start the task as anybody would: through boto3, or `DmsReplication.catch_up`

The replicator's files become `LOAD%08X.parquet`, counted from 1 in each load, and `YYYY/MM/DD/<time>.parquet`;
they have no column `autocorp_ext`, and LOAD files have an empty change sequence (Qlik's documentation of the engine
that DMS is built on: "Empty" during full load). A TRUNCATE is not carried, as DMS's PostgreSQL source does not.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import EXTENSION, LOAD_MANIFESTS, OP, SEQUENCE, table_prefix
from autocorp_assets.local.replicator.__main__ import DSN_VARIABLE
from autocorp_assets.local.replicator.checkpoint import position
from autocorp_assets.local.replicator.requests import pending_requests, request_reload
from autocorp_assets.local.replicator.source import committed_lsn, connect
from autocorp_assets.local.supervision import Guarded
from autocorp_assets.settings import PROJECT_FOLDER
from autocorp_assets_tests.fakes.dms import Task

PUMP_SECONDS = 0.1
POINT_SECONDS = 1.0
"""Between data points; DMS has one a minute."""
FLUSH_SECONDS = 0.2
GRACE_SECONDS = 5.0
LOADING = ("Before load", "Full load", "Table is being reloaded")
NAME_TIME = "%Y%m%d-%H%M%S%f"


@dataclass(frozen=True)
class ChangeFile:
    """A change file as it was carried."""

    table: str
    folder: str
    content: pa.Table


@dataclass
class Feed:
    """The replicator of one task, and the thread that carries its files. Made by `feed`."""

    task: Task
    dsn: str = field(repr=False)
    folder: Path
    slot: str
    flush_seconds: float = FLUSH_SECONDS
    carried: list[ChangeFile] = field(default_factory=list)
    """Change files in the order in which they were written."""
    _process: Guarded | None = None
    _seen: set[Path] = field(default_factory=set)
    _generation: int = 0
    _names: dict[str, datetime] = field(default_factory=dict)
    """Time in the name of the last change file, by table."""
    _columns: dict[str, list[str]] = field(default_factory=dict)
    _published: datetime | None = None
    _reached: datetime | None = None
    """Moment of which everything that the source had committed has been carried."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        return self.folder / "replicator.log"

    def start(self, *, load_anew: bool = False) -> None:
        """Start the replicator; with every table loaded anew where it has loaded them before."""
        if load_anew and position(self._state) is not None:
            self.reload(TABLES)
        options = {"--lake": self._lake, "--state": self._state, "--slot": self.slot, "--flush": self.flush_seconds}
        module = [sys.executable, "-m", "autocorp_assets.local.replicator"]
        self._process = Guarded.start(
            [*module, *(str(part) for option in options.items() for part in option)],
            name="replicator of the fake DMS",
            log=self.log,
            env={**os.environ, DSN_VARIABLE: self.dsn},
            cwd=PROJECT_FOLDER,
            grace_seconds=GRACE_SECONDS,
        )
        if self._thread is None:
            self._thread = threading.Thread(target=self._carry, name="fake-dms-feed", daemon=True)
            self._thread.start()

    def reload(self, tables: Iterable[str]) -> None:
        for table in tables:
            request_reload(self._state, table)

    def stop(self) -> None:
        """End the replicator; what it has committed is still carried."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """End replicator and thread: no process and no thread is left."""
        self._ended.set()
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def fail_over(self, *, redeliver: int = 3) -> None:
        """The instance moves in mid-stream: the task starts again by itself and delivers its last changes once more.

        Args:
            redeliver: how many of the last change files come again, under newer names.
        """
        with self.task.lock:
            self.stop()
            self.task.status = "starting"
            self.start()
            for file in self.carried[-redeliver:] if redeliver else ():
                self._put_change(file)

    @property
    def _lake(self) -> Path:
        return self.folder / "lake"

    @property
    def _state(self) -> Path:
        return self.folder / "state"

    def _carry(self) -> None:
        while not self._ended.wait(PUMP_SECONDS):
            with self.task.lock:
                if not self._ended.is_set():
                    self._pump()

    def _pump(self) -> None:
        asked_at = datetime.now(UTC)
        is_current = self._is_current()
        self._carry_loads()
        self._carry_changes()
        if is_current:
            self._reached = asked_at
        if self._process is not None and self._process.poll() is not None and self.task.status == "running":
            self.task.fail("FATAL_ERROR", self.log.read_text(errors="replace")[-500:])
        now = datetime.now(UTC)
        is_due = self._published is None or now - self._published >= timedelta(seconds=POINT_SECONDS)
        if self.task.status == "running" and self._reached and is_due and self.task.latency is not None:
            self._published = now
            self.task.publish((now - self._reached).total_seconds() + self.task.latency, at=now)

    def _is_current(self) -> bool:
        """Whether the replicator has written everything that the source has committed by now."""
        if not self.is_running:
            return False
        try:
            with connect(self.dsn) as connection:
                target = committed_lsn(connection)
        except psycopg.Error:
            return False
        reached = position(self._state)
        return reached is not None and reached >= target and not pending_requests(self._state)

    def _carry_loads(self) -> None:
        manifests = sorted((self._lake / LOAD_MANIFESTS).glob("[0-9]*.json"))
        for manifest in manifests:
            content = json.loads(manifest.read_text(encoding="utf-8"))
            if content["generation"] <= self._generation:
                continue
            self._generation = content["generation"]
            for name, loaded in content["tables"].items():
                table = self.task.tables.get(name)
                if table is None or table.state not in LOADING:
                    continue  # a TRUNCATE, of which DMS tells nothing
                self.task.begin_load(name)
                folder = self._lake / table_prefix(name)
                self.task.write_load(name, [_load_file(folder / file) for file in loaded["files"]])

    def _carry_changes(self) -> None:
        found = [
            (path, name)
            for name in self.task.tables
            for path in (self._lake / table_prefix(name)).glob("year=*/month=*/day=*/*.parquet")
            if path not in self._seen
        ]
        for path, name in sorted(found, key=lambda file: file[0].name):
            self._seen.add(path)
            year, month, day = (part.split("=")[1] for part in path.parts[-4:-1])
            content = pq.read_table(path, partitioning=None)
            file = ChangeFile(name, f"{year}/{month}/{day}", content.drop_columns([EXTENSION]))
            self.carried.append(file)
            self._put_change(file)
            self._count(file)

    def _put_change(self, file: ChangeFile) -> None:
        """Under a name of its own, later than those before it."""
        time = datetime.now(UTC)
        if (last := self._names.get(file.table)) is not None:
            time = max(time, last + timedelta(milliseconds=1))
        self._names[file.table] = time
        self.task.put(f"{file.table}/{file.folder}/{time:{NAME_TIME}}"[:-3] + ".parquet", file.content)

    def _count(self, file: ChangeFile) -> None:
        table = self.task.tables[file.table]
        table.counts += Counter(file.content[OP].to_pylist())
        before = self._columns.setdefault(file.table, file.content.column_names)
        if before != file.content.column_names:
            table.counts["DDL"] += 1
            self._columns[file.table] = file.content.column_names
        table.updated = datetime.now(UTC)


@contextmanager
def feed(
    task: Task, *, dsn: str, folder: Path, slot: str = "autocorp_lake", flush_seconds: float = FLUSH_SECONDS
) -> Generator[Feed]:
    """Have the task replicate this database for as long as the block lasts, whenever it runs.

    Args:
        task: of the fake; it decides where to by its target endpoint.
        dsn: PostgreSQL with the tables of the contracts.
        folder: private to the feed: staged lake, checkpoint, log.
        slot: replication slot in the source.
        flush_seconds: longest wait of a change for others (DMS: CdcMaxBatchInterval).
    """
    fed = Feed(task=task, dsn=dsn, folder=folder, slot=slot, flush_seconds=flush_seconds)
    for part in ("lake", "state"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    task.feed = fed
    try:
        yield fed
    finally:
        fed.close()
        task.feed = None


def _load_file(path: Path) -> pa.Table:
    content: Any = pq.read_table(path, partitioning=None).drop_columns([EXTENSION])
    return content.append_column(SEQUENCE, pa.array([""] * content.num_rows, pa.string()))
