"""The curation job as a Spark process of this machine, spoken to over Dagster Pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from autocorp_assets.resources.pipes_context import with_skippable_outputs
from autocorp_assets.resources.ports.job_runner import JobOutcome
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.writer_lock import writer_lock

if TYPE_CHECKING:
    from spark_jobs.plan import TablePlan

CURATE_COMMAND = (sys.executable, "-m", "autocorp_assets.local.spark_runner", "spark_jobs/curate.py")
SPARK_CONF_VARIABLE = "AUTOCORP_SPARK_CONF"
NOT_FOR_THE_JOB = ("AUTOCORP_SOURCE_DSN",)
"""Secrets that the job has no use for."""
STOP_SECONDS = 20
"""How long Spark may take to roll back and leave before it is killed."""
TAIL_LINES = 40
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class SparkSubprocess:
    """JobRunner: one Spark process a run, which holds the lake's writer lock for as long as it lives.

    PipesSubprocessClient is not enough: it can neither pass the lock on nor end a process group.
    """

    lake: Path
    logs: Path
    folder: Path
    """Working directory of the job: the project."""
    spark_conf: Mapping[str, Any]
    prepare: Callable[[], object] = lambda: None
    """Called before a job starts: fetches what Spark needs, once a machine."""
    command: Sequence[str] = CURATE_COMMAND

    @contextmanager
    def hold_writer(self, *, on_wait: Progress) -> Generator[_Holder]:
        with writer_lock(self.lake, on_wait=on_wait) as descriptor:
            yield _Holder(runner=self, descriptor=descriptor)


@dataclass(frozen=True, kw_only=True)
class _Holder:
    runner: SparkSubprocess
    descriptor: int

    def run(self, *, context: dg.AssetExecutionContext, plans: Sequence[TablePlan]) -> JobOutcome:
        self.runner.prepare()
        log = self.runner.logs / f"curate-{context.run.run_id}-{context.retry_number}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        context.log.info(f"Spark job of {len(plans)} tables; its output: {log}")
        with dg.open_pipes_session(
            context=with_skippable_outputs(context),
            context_injector=dg.PipesTempFileContextInjector(),
            message_reader=dg.PipesTempFileMessageReader(),
            extras={"plan": plan_extras(context.run.run_id, self.runner.lake, plans)},
        ) as session:
            exit_code = self._run_process(log, session.get_bootstrap_env_vars(), conf=self._conf_for(plans))
        ended = None if exit_code == 0 else how_it_ended(exit_code)
        return JobOutcome(
            results=tuple(
                result
                for result in session.get_results(implicit_materializations=False)
                if isinstance(result, dg.MaterializeResult)
            ),
            messages=tuple(session.get_custom_messages()),
            ended=ended,
            log=log,
            tail=tail(log) if ended else "",
        )

    def _conf_for(self, plans: Sequence[TablePlan]) -> Mapping[str, Any]:
        from autocorp_assets.local.spark_runtime import compiled_lightly

        conf = self.runner.spark_conf
        return conf if any(plan.is_large for plan in plans) else compiled_lightly(conf)

    def _run_process(self, log: Path, pipes: Mapping[str, str], *, conf: Mapping[str, Any]) -> int:
        environment = {name: value for name, value in os.environ.items() if name not in NOT_FOR_THE_JOB}
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.runner.command,
                cwd=self.runner.folder,
                env={**environment, **pipes, SPARK_CONF_VARIABLE: json.dumps(dict(conf))},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(self.descriptor,),
                start_new_session=True,
            )
        try:
            return process.wait()
        except BaseException:
            # The run was cancelled: nobody would hear of what the job commits from here on.
            end_process_group(process)
            raise


def plan_extras(run_id: str, lake: Path | str, plans: Sequence[TablePlan]) -> dict[str, Any]:
    """What the job gets over Pipes (docs/architecture.md, Curation)."""
    return {"run_id": run_id, "lake": str(lake), "tables": [plan.to_dict() for plan in plans]}


def end_process_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to stop, and kill what is left after STOP_SECONDS."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(timeout=STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def how_it_ended(exit_code: int) -> str:
    """In words; a shell's or guard's 128 + signal is a killed process as well."""
    number = -exit_code if exit_code < 0 else exit_code - 128
    if number in set(signal.Signals):
        return f"the Spark process was killed by {signal.Signals(number).name}"
    return f"the Spark process ended with exit code {exit_code}"


def tail(log: Path) -> str:
    """The last lines of a log that may be large."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-TAIL_LINES:])
