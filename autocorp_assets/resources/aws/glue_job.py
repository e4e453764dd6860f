"""The curation job as a run of a Glue job, spoken to over Dagster Pipes by way of S3.

Not dagster-aws' PipesGlueClient: it polls for ever on a run that EXPIRED, does not know that another run may be in the
way, and reads no messages of a run that failed. Its injector and reader for S3 are used.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import dagster as dg
import tenacity

from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.aws.glue_code import is_published, zip_url
from autocorp_assets.resources.aws.glue_runs import (
    DEPLOY,
    LONGER,
    GlueRun,
    chained_conf,
    how_it_ended,
    with_remedy,
    workers_for,
)
from autocorp_assets.resources.pipes_context import with_skippable_outputs
from autocorp_assets.resources.ports.job_runner import JobError, JobOutcome
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.spark_job import plan_extras
from autocorp_assets.table_metadata import DATABASE_NAME
from spark_jobs.lake_tables.catalog_sync import CATALOG_DATABASE
from spark_jobs.spark_conf import LAKE_SPARK_CONF

if TYPE_CHECKING:
    from autocorp_assets.settings import Settings
    from spark_jobs.plan import TablePlan

STOP_SECONDS = 180.0
"""How long a run may take to stop when it was told to."""
SLOWEST_POLL = 6
"""Polls get rarer, up to this many times the first interval."""
MESSAGES_SECONDS = 10.0
"""Between two looks for messages; the job writes as often."""
NEWEST_RUNS = 25
"""Glue lists the newest first; an active run is among them."""
TAIL_LINES = 20
"""Of each of the job's two logs."""
NOT_TO_BE_REPEATED = frozenset({"AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"})


@dataclass(frozen=True, kw_only=True)
class GlueJobRunner:
    """JobRunner: one run of the Glue job at a time.

    Outside of this Dagster instance three things keep a second writer out, each behind the other: plans are made only
    while no run is active, the job's MaxConcurrentRuns is 1, and a plan names the commit that it was made for.
    """

    settings: Settings
    deadline_seconds: float
    """A run that has not ended by then is stopped."""
    poll_seconds: float = 5.0
    """Before the second look at a run; later ones are rarer."""

    @contextmanager
    def hold_writer(self, *, on_wait: Progress) -> Generator[_Holder]:
        with _told_as_job_error(self.settings.aws.glue_job):
            self._wait_until_idle(on_wait)
        yield _Holder(runner=self)

    def _wait_until_idle(self, on_wait: Progress) -> None:
        told: set[str] = set()

        def active() -> list[str]:
            ids = [run.id for run in self.newest_runs() if run.is_active]
            if ids and not told:
                on_wait(f"waiting for another run of Glue job {self.settings.aws.glue_job} to end: {', '.join(ids)}")
            told.update(ids)
            return ids

        try:
            # A run that was not started by us may have its whole time before it, and a queued one after that.
            self.polling(2 * self.deadline_seconds, retry=tenacity.retry_if_result(bool))(active)
        except tenacity.RetryError as error:
            ids = ", ".join(error.last_attempt.result())
            message = f"Glue run {ids} of job {self.settings.aws.glue_job} does not end: stop it in Glue's console"
            raise JobError(message) from None

    def newest_runs(self) -> list[GlueRun]:
        answer = client("glue").get_job_runs(JobName=self.settings.aws.glue_job, MaxResults=NEWEST_RUNS)
        return [GlueRun.of(value) for value in answer["JobRuns"]]

    def polling(self, seconds: float, *, retry: Any) -> tenacity.Retrying:
        """Looks again, ever more rarely, for that long; then raises tenacity.RetryError."""
        rarest = self.poll_seconds * SLOWEST_POLL
        return tenacity.Retrying(
            retry=retry,
            wait=tenacity.wait_exponential(multiplier=self.poll_seconds, exp_base=1.5, max=rarest),
            stop=tenacity.stop_after_delay(seconds),
        )


class _InTheWay(Exception):
    """Glue starts no run now: another one is active, or the account's limit is reached."""


@dataclass(frozen=True, kw_only=True)
class _Holder:
    runner: GlueJobRunner

    @property
    def settings(self) -> Settings:
        return self.runner.settings

    def run(self, *, context: dg.AssetExecutionContext, plans: Sequence[TablePlan]) -> JobOutcome:
        from autocorp_assets.resources.aws.pipes_s3 import PipesPlace

        job = self.settings.aws.glue_job
        exchange = PipesPlace(
            lake=str(self.settings.lake),
            name=f"{context.run.run_id}-{context.retry_number}",
            interval_seconds=min(MESSAGES_SECONDS, self.runner.poll_seconds * 2),
        )
        with _told_as_job_error(job):
            if not is_published(self.settings):
                raise JobError(
                    f"{zip_url(self.settings)} is missing, which Glue job {job} imports, or its script is of "
                    f"another release: {DEPLOY}"
                )
            with dg.open_pipes_session(
                context=with_skippable_outputs(context),
                context_injector=exchange.injector(),
                message_reader=exchange.reader(),
                extras={"plan": plan_extras(context.run.run_id, str(self.settings.lake), plans)},
            ) as session:
                run, ended = self._run(context, session.get_bootstrap_cli_arguments(), plans)
        return JobOutcome(
            results=tuple(
                result
                for result in session.get_results(implicit_materializations=False)
                if isinstance(result, dg.MaterializeResult)
            ),
            messages=tuple(with_remedy(message) for message in session.get_custom_messages()),
            ended=ended,
            log=_url(run),
            tail=_tail(run) if ended else "",
            retry_soon=False,
        )

    def _run(
        self, context: dg.AssetExecutionContext, pipes: Mapping[str, str], plans: Sequence[TablePlan]
    ) -> tuple[GlueRun, str | None]:
        """The run at its end, and how it ended."""
        aws = self.settings.aws
        workers = workers_for(plans, least=aws.workers_min, most=aws.workers_max)
        run_id = self._start(context, pipes, workers=workers)
        run = GlueRun(job=aws.glue_job, id=run_id, state="STARTING")
        context.log.info(f"Glue run of {len(plans)} tables on {workers} {aws.worker_type} workers: {_url(run)}")
        try:
            run = self._wait(context, run_id, self.runner.deadline_seconds)
        except BaseException:
            # The Dagster run was cancelled, or the Glue run can no longer be followed: nobody would hear of what it
            # commits from here on.
            self._stop(context, run_id)
            raise
        if not run.is_active:
            return run, how_it_ended(run)
        run = self._stop(context, run_id) or run
        minutes = self.runner.deadline_seconds / 60
        ended = f"Glue run {run_id} of job {aws.glue_job} had not ended after {minutes:g} minutes and was stopped"
        if run.is_active:
            ended = f"{ended}, but is still {run.state}: stop it in Glue's console"
        return run, f"{ended}; {LONGER}"

    def _start(self, context: dg.AssetExecutionContext, pipes: Mapping[str, str], *, workers: int) -> str:
        """The new run's id. What is in the way is waited for, as long as a run may last."""
        seconds = self.runner.deadline_seconds

        def start() -> str:
            try:
                return client("glue").start_job_run(**self._parameters(pipes, workers=workers))["JobRunId"]
            except client("glue").exceptions.ConcurrentRunsExceededException as error:
                # A start whose answer was lost has started a run nevertheless: it is known by its arguments.
                started = [run.id for run in self.runner.newest_runs() if pipes.items() <= run.arguments.items()]
                if started:
                    return started[0]
                raise _InTheWay(explain(error)) from error
            except client("glue").exceptions.ResourceNumberLimitExceededException as error:
                raise _InTheWay(explain(error)) from error

        def tell(attempt: tenacity.RetryCallState) -> None:
            if attempt.attempt_number == 1 and attempt.outcome:
                context.log.info(f"{attempt.outcome.exception()}; trying again until it has ended")

        polling = self.runner.polling(seconds, retry=tenacity.retry_if_exception_type(_InTheWay))
        try:
            return polling.copy(before_sleep=tell)(start)
        except tenacity.RetryError as error:
            reason = f"could not be started for {seconds / 60:g} minutes: {error.last_attempt.exception()}"
            raise JobError(f"Glue job {self.settings.aws.glue_job} {reason}") from None

    def _parameters(self, pipes: Mapping[str, str], *, workers: int) -> dict[str, Any]:
        """Of StartJobRun. What they leave out, the script and the role above all, is the job's own."""
        aws = self.settings.aws
        return {
            "JobName": aws.glue_job,
            "Arguments": {
                "--datalake-formats": "hudi,delta",
                "--conf": chained_conf({**LAKE_SPARK_CONF, CATALOG_DATABASE: DATABASE_NAME}),
                "--extra-py-files": zip_url(self.settings),
                **pipes,
            },
            "WorkerType": aws.worker_type,
            "NumberOfWorkers": workers,
            "Timeout": max(1, math.ceil(self.runner.deadline_seconds / 60)),
        }

    def _wait(self, context: dg.AssetExecutionContext, run_id: str, seconds: float) -> GlueRun:
        """The run at its end, or as it is when the time is up.

        A look that fails is repeated: the run itself knows nothing of it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        def is_passing(error: BaseException) -> bool:
            code = error.response["Error"].get("Code") if isinstance(error, ClientError) else ""
            return isinstance(error, ClientError | BotoCoreError) and code not in NOT_TO_BE_REPEATED

        def look() -> GlueRun:
            return GlueRun.of(client("glue").get_job_run(JobName=self.settings.aws.glue_job, RunId=run_id)["JobRun"])

        def tell(attempt: tenacity.RetryCallState) -> None:
            if attempt.outcome and isinstance(error := attempt.outcome.exception(), ClientError | BotoCoreError):
                context.log.warning(f"Glue run {run_id} goes on; it could not be looked at: {explain(error)}")

        retry = tenacity.retry_if_result(lambda run: run.is_active) | tenacity.retry_if_exception(is_passing)
        try:
            return self.runner.polling(seconds, retry=retry).copy(before_sleep=tell)(look)
        except tenacity.RetryError as error:
            return error.last_attempt.result()

    def _stop(self, context: dg.AssetExecutionContext, run_id: str) -> GlueRun | None:
        """Tell the run to stop and see it end, for no longer than STOP_SECONDS; None when it cannot be told."""
        from botocore.exceptions import BotoCoreError, ClientError

        job = self.settings.aws.glue_job
        context.log.warning(f"stopping Glue run {run_id} of job {job}")
        try:
            client("glue").batch_stop_job_run(JobName=job, JobRunIds=[run_id])
            run = self._wait(context, run_id, STOP_SECONDS)
        except (ClientError, BotoCoreError) as error:
            context.log.error(f"Glue run {run_id} of job {job} may go on: it could not be stopped: {explain(error)}")
            return None
        context.log.warning(f"Glue run {run_id} of job {job} is {run.state}")
        return run


@contextmanager
def _told_as_job_error(job: str) -> Generator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        _raise_job_error(job, error, is_missing=error.response["Error"]["Code"] == "EntityNotFoundException")
    except BotoCoreError as error:
        _raise_job_error(job, error, is_missing=False)


def _raise_job_error(job: str, error: Any, *, is_missing: bool) -> NoReturn:
    hint = "; the infrastructure makes it, or AUTOCORP_AWS_GLUE_JOB names another" if is_missing else ""
    raise JobError(f"Glue job {job}: {explain(error)}{hint}") from error


def _url(run: GlueRun) -> str:
    return run.console_url(client("glue").meta.region_name)


def _tail(run: GlueRun) -> str:
    """The last lines of both logs; of those that cannot be read, nothing: they are no reason to fail.

    Groups: https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
    """
    from botocore.exceptions import BotoCoreError, ClientError

    lines: list[str] = []
    for name in ("output", "error"):
        try:
            events = client("logs").get_log_events(
                logGroupName=f"{run.log_group}/{name}", logStreamName=run.id, limit=TAIL_LINES, startFromHead=False
            )["events"]
        except (ClientError, BotoCoreError):
            continue
        lines += [event["message"].rstrip() for event in events]
    return "\n".join(lines)
