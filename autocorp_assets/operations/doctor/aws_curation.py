"""The Glue job and its code."""

from __future__ import annotations

from collections.abc import Iterator

from autocorp_assets.operations.doctor.finding import Finding, failure, ok, warning
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.glue_code import is_published, script_url, zip_url
from autocorp_assets.settings import Settings

GLUE_VERSION = "5.1"
"""Its Spark, Hudi and Delta are the ones that are tested; without a version a job gets another."""


def job(settings: Settings) -> Iterator[Finding]:
    """It exists, and runs our script once at a time on the right Glue."""
    glue, name = client("glue"), settings.aws.glue_job
    try:
        found = glue.get_job(JobName=name)["Job"]
    except glue.exceptions.EntityNotFoundException:
        remedy = "create it (the infrastructure does), or name another in AUTOCORP_AWS_GLUE_JOB"
        yield failure("Glue job", f"there is no job {name} in this account and region", remedy)
        return
    how = f"aws glue update-job --job-name {name}"
    script = (found.get("Command") or {}).get("ScriptLocation")
    problems: list[Finding] = []
    if found.get("GlueVersion") != GLUE_VERSION:
        said = f"{name} has GlueVersion {found.get('GlueVersion')}"
        problems.append(failure("Glue job: version", said, f"{how}, with GlueVersion {GLUE_VERSION}"))
    if script != script_url(settings):
        said = f"{name} starts {script}"
        problems.append(failure("Glue job: script", said, f"{how}, with ScriptLocation {script_url(settings)}"))
    if (runs := (found.get("ExecutionProperty") or {}).get("MaxConcurrentRuns")) != 1:
        said = f"{name} may run {runs} times at once: two writers of one table"
        problems.append(failure("Glue job: runs", said, f"{how}, with MaxConcurrentRuns 1"))
    if (worker := found.get("WorkerType")) not in (None, settings.aws.worker_type):
        said = f"{name} has {worker} workers; runs ask for {settings.aws.worker_type}"
        problems.append(warning("Glue job: workers", said, f"{how}, or set AUTOCORP_AWS_WORKER_TYPE={worker}"))
    if not found.get("Role"):
        problems.append(failure("Glue job: role", f"{name} has no role", f"{how}, with a role that reads the lake"))
    yield from problems or [ok("Glue job", f"{name}: Glue {GLUE_VERSION}, one run at a time, role {found['Role']}")]


def code(settings: Settings) -> Iterator[Finding]:
    """The zip of this very version is in S3."""
    if is_published(settings):
        yield ok("Glue code", zip_url(settings))
    else:
        yield failure("Glue code", f"{zip_url(settings)} is missing", "`autocorp deploy` puts it there")
