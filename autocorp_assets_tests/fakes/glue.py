"""Glue's jobs: `start_job_run` really runs the job's script, from moto's S3, as a process of this machine.

From AWS's documents: states and their order, one run at a time unless MaxConcurrentRuns says otherwise
(ConcurrentRunsExceededException, or WAITING with JobRunQueuingEnabled), the newest run first in `get_job_runs`,
`batch_stop_job_run`, Timeout, logs in /aws-glue/jobs/output and error by run.

Not AWS: the script runs in this machine's Python, with the zips of `--extra-py-files` before everything that is
installed. The repository is not on its path, so the packages in the zip are proven complete. Hudi's sync tool is in no
jar that can be had here: a run that asked for it leaves its tables in the catalog as that tool does, which proves
nothing of the tool.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.core.base_backend import BaseBackend
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.glue.exceptions import ConcurrentRunsExceededException
from moto.glue.models import FakeJob, GlueBackend
from moto.glue.responses import GlueResponse
from moto.logs.models import logs_backends
from moto.moto_api._internal import mock_random
from moto.s3.models import s3_backends

from autocorp_assets_tests.fakes.hudi_catalog import register_hudi_tables
from spark_jobs.lake_tables.catalog_sync import CATALOG_DATABASE

LOG_GROUP = "/aws-glue/jobs"
ACTIVE = ("STARTING", "RUNNING", "STOPPING")
"""States that count against MaxConcurrentRuns."""
POLL_SECONDS = 0.02
STOP_SECONDS = 2.0
NEITHER_KNOWN = ("AWS_", "PATH", "HOME", "TMPDIR")
"""Beginnings of the names of variables that a run inherits: none of AutoCorp's."""

Environment = Callable[[Path, Mapping[str, str]], Mapping[str, str]]
"""From a scratch folder and the run's Spark configuration to environment variables of the script."""


def _nothing_more(scratch: Path, conf: Mapping[str, str]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class RunFault:
    """What becomes of a run instead of its good end."""

    state: str
    error: str = ""
    after_seconds: float | None = None
    """The script is killed then; None: it never starts."""


@dataclass
class GlueJobs:
    """What the tests say of the runs to come."""

    faults: list[RunFault] = field(default_factory=list)
    """Each for one run, in the order of their starts."""
    lost_answers: int = 0
    """So many starts do start a run and answer with an internal error."""
    environment: Environment = _nothing_more
    """Scripts that need Spark: see `spark_on_s3`."""
    start_seconds: float = 0.05
    minute_seconds: float = 60.0
    """How long a minute of Timeout is."""
    runs: list[JobRun] = field(default_factory=list)

    def forget(self) -> None:
        for run in self.runs:
            run.abandon()
        self.__init__()


glue_jobs = GlueJobs()
"""Of this process's server; moto's reset empties it."""


class JobRun:
    """One run, which follows its script in a thread of its own."""

    def __init__(self, job: Any, *, arguments: dict[str, str], parameters: dict[str, Any], queued: bool) -> None:
        self.job = job  # moto's FakeJob, whose own types say other things of it than it holds
        self.job_run_id = f"jr_{mock_random.get_random_hex(64)}"
        self.status = "WAITING" if queued else "STARTING"
        self.arguments = arguments
        self.error = ""
        self.parameters = parameters
        self.started_on = self.changed_on = datetime.now(UTC)
        self.fault = glue_jobs.faults.pop(0) if glue_jobs.faults else None
        self._stopped = threading.Event()
        self._abandoned = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._live, name=f"fake-glue-{self.job_run_id[:10]}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def advance(self) -> None:
        """moto calls it with each look; time alone moves this one."""

    def stop(self) -> None:
        """Tells it to; the state says when it has ended."""
        self._stopped.set()

    def abandon(self) -> None:
        """Ends the script and leaves no trace in moto, which is being emptied and locked meanwhile."""
        self._abandoned = True
        self.stop()
        if self._process is not None and self._process.poll() is None:
            _end_group(self._process)

    @property
    def script_has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def as_dict(self) -> dict[str, Any]:
        """The shape JobRun."""
        ended = {} if self.status in (*ACTIVE, "WAITING") else {"CompletedOn": self.changed_on}
        return {
            "Id": self.job_run_id,
            "Attempt": 0,
            "JobName": self.job.name,
            "JobRunState": self.status,
            "StartedOn": self.started_on,
            "LastModifiedOn": self.changed_on,
            "Arguments": self.arguments,
            "PredecessorRuns": [],
            "LogGroupName": LOG_GROUP,
            "GlueVersion": self.job.glue_version,
            **self.parameters,
            **({"ErrorMessage": self.error} if self.error else {}),
            **ended,
        }

    def _become(self, status: str, error: str = "") -> None:
        self.error, self.changed_on = error, datetime.now(UTC)
        self.status = status

    def _live(self) -> None:
        while self.status == "WAITING":
            if self._stopped.wait(POLL_SECONDS):
                return self._become("STOPPED")
            if self.fault and self.fault.state == "EXPIRED":
                return self._become("EXPIRED", self.fault.error)
            if not _is_full(self.job):
                self._become("STARTING")
        if self._stopped.wait(glue_jobs.start_seconds):
            return self._become("STOPPED")
        if self.fault and self.fault.after_seconds is None:
            return self._become(self.fault.state, self.fault.error)
        try:
            with tempfile.TemporaryDirectory(prefix="fake-glue-") as scratch:
                self._become(*self._run_script(Path(scratch)))
        except Exception as error:
            self._become("ERROR", f"defect of the fake: {error!r}")
            raise
        return None

    def _run_script(self, scratch: Path) -> tuple[str, str]:
        """The state and the message with which it ends."""
        conf = _parsed_conf(self.arguments.get("--conf", ""))
        catalog = conf.pop(CATALOG_DATABASE, None)
        location = self.job.command["ScriptLocation"]
        try:
            script = _fetch(location, scratch)
            zips = [_fetch(url, scratch) for url in self.arguments.get("--extra-py-files", "").split(",") if url]
        except FileNotFoundError:
            return "FAILED", "An error occurred (404) when calling the HeadObject operation: Not Found"
        environment = {name: value for name, value in os.environ.items() if name.startswith(NEITHER_KNOWN)}
        environment |= {"PYTHONPATH": ":".join(map(str, zips)), **glue_jobs.environment(scratch, conf)}
        output, error = scratch / "output", scratch / "error"
        with output.open("wb") as stdout, error.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, str(script), *(part for pair in self.arguments.items() for part in pair)],
                cwd=scratch,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            self._become("RUNNING")
            ended = self._follow(self._process)
        if not self._abandoned:
            self._keep_log("output", output)
            self._keep_log("error", error)
            if catalog:
                register_hudi_tables(self.job.backend, location.rsplit("/", 2)[0], catalog)
        return ended or _end(self._process.returncode, error.read_text(errors="replace"))

    def _follow(self, process: subprocess.Popen[bytes]) -> tuple[str, str] | None:
        """Until the script has ended; how, unless by itself."""
        began = time.monotonic()
        timeout = self.parameters.get("Timeout")
        while process.poll() is None:
            seconds = time.monotonic() - began
            if self._stopped.wait(POLL_SECONDS):
                self._become("STOPPING")
                _end_group(process)
                return "STOPPED", ""
            if timeout and seconds > timeout * glue_jobs.minute_seconds:
                _end_group(process)
                return "TIMEOUT", f"Job run exceeded its timeout of {timeout} minutes"
            if self.fault and self.fault.after_seconds is not None and seconds > self.fault.after_seconds:
                _end_group(process)
                return self.fault.state, self.fault.error
        return None

    def _keep_log(self, name: str, file: Path) -> None:
        backend = logs_backends[self.job.backend.account_id][self.job.backend.region_name]
        group = f"{LOG_GROUP}/{name}"
        if group not in backend.groups:
            backend.create_log_group(group, {})
        backend.create_log_stream(group, self.job_run_id)
        now = int(time.time() * 1000)
        lines = file.read_text(errors="replace").splitlines()
        backend.put_log_events(
            group, self.job_run_id, [{"timestamp": now, "message": line} for line in lines if line.strip()]
        )


def _is_full(job: Any) -> bool:
    active = [run for run in job.job_runs if run.status in ACTIVE]
    return len(active) >= (job.execution_property or {}).get("MaxConcurrentRuns", 1)


def _parsed_conf(value: str) -> dict[str, str]:
    """Spark's configuration from the chained value of `--conf`."""
    pairs = (part.strip().partition("=") for part in value.split(" --conf ") if part.strip())
    return {key: of for key, _, of in pairs}


def _fetch(url: str, folder: Path) -> Path:
    """Not over HTTP: what Glue reads for itself is none of the platform's requests."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    backend = next(iter(s3_backends.values()))["aws"]
    found = backend.get_object(bucket, key) if bucket in backend.buckets else None
    if found is None:
        raise FileNotFoundError(url)
    path = folder / key.rsplit("/", 1)[-1]
    path.write_bytes(found.value)
    return path


def _end(code: int, error: str) -> tuple[str, str]:
    if code == 0:
        return "SUCCEEDED", ""
    if code < 0:
        return "FAILED", f"Command failed with exit code {128 - code}"
    lines = [line for line in error.splitlines() if line.strip()]
    return "FAILED", f"Error Category: UNCLASSIFIED_ERROR; {lines[-1] if lines else f'exit code {code}'}"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """The script and its JVM."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


class _InternalServiceError(JsonRESTError):
    code = 500


def _start_job_run(self: GlueResponse) -> ActionResult:
    job: Any = self.glue_backend.get_job(self._get_param("JobName"))
    is_full = _is_full(job)
    queues = bool(self._get_param("JobRunQueuingEnabled"))
    if is_full and not queues:
        raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
    given = {name: self._get_param(name) for name in ("WorkerType", "NumberOfWorkers", "Timeout")}
    own = {"WorkerType": job.worker_type, "NumberOfWorkers": job.number_of_workers, "Timeout": job.timeout}
    parameters = {name: value for name, value in {**own, **{k: v for k, v in given.items() if v}}.items() if value}
    arguments = {**job.default_arguments, **(self._get_param("Arguments") or {})}
    run = JobRun(job, arguments=arguments, parameters=parameters, queued=is_full)
    job.job_runs.append(run)
    glue_jobs.runs.append(run)
    run.start()
    if glue_jobs.lost_answers:
        glue_jobs.lost_answers -= 1
        raise _InternalServiceError("InternalServiceException", "the answer was lost")
    return ActionResult({"JobRunId": run.job_run_id})


def _batch_stop_job_run(self: GlueResponse) -> ActionResult:
    name = self._get_param("JobName")
    runs = {run.job_run_id: run for run in glue_jobs.runs if run.job.name == name}
    stopped, errors = [], []
    for run_id in self._get_param("JobRunIds"):
        run = runs.get(run_id)
        if run is not None and run.status in (*ACTIVE, "WAITING"):
            run.stop()
            stopped.append({"JobName": name, "JobRunId": run_id})
        else:
            detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": f"{run_id} is not running"}
            errors.append({"JobName": name, "JobRunId": run_id, "ErrorDetail": detail})
    return ActionResult({"SuccessfulSubmissions": stopped, "Errors": errors})


def _newest_first(self: FakeJob) -> list[Any]:
    return self.job_runs[::-1]


def _reset(self: GlueBackend) -> None:
    glue_jobs.forget()
    BaseBackend.reset(self)


PATCHED = {
    (GlueResponse, "start_job_run"): _start_job_run,
    (FakeJob, "get_job_runs"): _newest_first,
}
"""Names of moto's that are replaced."""
ADDED = {(GlueResponse, "batch_stop_job_run"): _batch_stop_job_run, (GlueBackend, "reset"): _reset}
"""Names that moto does not have, or inherits."""


def install() -> None:
    for (owner, name), function in {**PATCHED, **ADDED}.items():
        setattr(owner, name, function)
