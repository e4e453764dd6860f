"""What a run of a Glue job is, and what became of it. Pure.

States: https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

if TYPE_CHECKING:
    from spark_jobs.plan import TablePlan

ACTIVE_STATES = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
"""WAITING is queued. All others are final, EXPIRED too, for which dagster-aws would wait for ever."""
LOG_GROUP = "/aws-glue/jobs"

BYTES_PER_WORKER = 64 * 1024 * 1024
"""Of CSV: 1.2 million rows are 153 MB, and took 2 cores 20 s; a G.1X worker has 4."""
BYTES_PER_ROW = 100
"""Of a load; its files are compressed, so that their size says less."""
BYTES_PER_CHANGE_FILE = 1024 * 1024

MORE_WORKERS = "raise AUTOCORP_AWS_WORKERS_MAX, or set AUTOCORP_AWS_WORKER_TYPE to a larger one, such as G.2X"
DEPLOY = "run `autocorp deploy`, which puts the job's code into S3"
LONGER = f"raise AUTOCORP_AWS_JOB_DEADLINE_MINUTES, or {MORE_WORKERS}"

_OUT_OF_MEMORY = r"out ?of ?memory|exit code (10|137|143)\b|ExecutorLostFailure|executor lost|memory limits|GC overhead"
_REMEDIES = {
    _OUT_OF_MEMORY: MORE_WORKERS,
    r"no space left on device": MORE_WORKERS,
    r"NoSuchKey|\b404\b|failed to download|ModuleNotFoundError|ImportError": DEPLOY,
    r"AccessDenied|is not authorized|not authorized to perform|\b403\b": "the job's role lacks a permission",
    r"resource ?unavailable|insufficient capacity|capacity": "AWS has no workers now: it is tried again by itself",
}
_OF_STATE = MappingProxyType(
    {
        "FAILED": "failed",
        "STOPPED": "was stopped by somebody",
        "TIMEOUT": "ran into its timeout",
        "ERROR": "failed in Glue itself",
        "EXPIRED": "expired before it started",
    }
)
_REMEDY_OF_STATE = MappingProxyType(
    {
        "TIMEOUT": LONGER,
        "ERROR": "see the run in Glue's console; it is tried again by itself",
        "EXPIRED": "it found no workers or no maintenance window in time: see the job's queueing and flex settings",
    }
)


@dataclass(frozen=True, kw_only=True)
class GlueRun:
    """A run as Glue describes it."""

    job: str
    id: str
    state: str
    error: str = ""
    log_group: str = LOG_GROUP
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """From the shape JobRun."""
        return cls(
            job=value["JobName"],
            id=value["Id"],
            state=value["JobRunState"],
            error=value.get("ErrorMessage") or value.get("StateDetail") or "",
            log_group=value.get("LogGroupName") or LOG_GROUP,
            arguments=value.get("Arguments") or {},
        )

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES

    def console_url(self, region: str) -> str:
        place = f"/job/{quote(self.job, safe='')}/run/{self.id}"
        return f"https://{region}.console.aws.amazon.com/gluestudio/home?region={region}#{place}"


def how_it_ended(run: GlueRun) -> str | None:
    """In words, and what to do where that is known; None for a run that succeeded."""
    if run.state == "SUCCEEDED":
        return None
    told = f"Glue run {run.id} of job {run.job} {_OF_STATE.get(run.state, f'ended as {run.state}')}"
    told = f"{told}: {run.error}" if run.error else told
    todo = remedy(run.error) or _REMEDY_OF_STATE.get(run.state)
    return f"{told}; {todo}" if todo else told


def remedy(reason: str) -> str | None:
    """What to do about a reason that Glue, Spark or Python gave."""
    return next((todo for pattern, todo in _REMEDIES.items() if re.search(pattern, reason, re.IGNORECASE)), None)


def with_remedy(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A table's failure as the job told it, and what to do where too little memory is its cause."""
    if re.search(_OUT_OF_MEMORY, message.get("error", ""), re.IGNORECASE):
        return {**message, "error": f"{message['error']}; {MORE_WORKERS}"}
    return message


def workers_for(plans: Sequence[TablePlan], *, least: int, most: int) -> int:
    """Workers for this much work, the driver's among them."""
    size = sum(
        sum(file.size or BYTES_PER_CHANGE_FILE for file in plan.files) + plan.load_rows * BYTES_PER_ROW
        for plan in plans
    )
    return max(least, min(most, 1 + -(-size // BYTES_PER_WORKER)))


def chained_conf(conf: Mapping[str, str]) -> str:
    """The value of Glue's one `--conf` argument: `a=b --conf c=d`.

    Raises:
        ValueError: a value has white space, at which Glue would cut it.
    """
    if torn := [key for key, value in conf.items() if any(character.isspace() for character in value)]:
        message = f"Spark options {', '.join(torn)} have white space, which Glue's --conf cannot carry"
        raise ValueError(message)
    return " --conf ".join(f"{key}={value}" for key, value in conf.items())
