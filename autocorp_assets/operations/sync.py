"""One headless pass from source to curated tables."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from autocorp_assets.contracts.model import TableContract

PROGRESS = "progress"
REPLICATE = "replicate the database"
CURATE = "curate"
"""Name of the step and of the op that it runs."""
_MATERIALIZATIONS = 1000
"""Bound of what is read of one table; a pass makes one or two."""
PIPES_CHATTER = "[pipes] external process successfully"


class SyncError(ValueError):
    """The pass could not be made as it was asked for."""


@dataclass(frozen=True, kw_only=True)
class TableResult:
    """What became of one curated table during a pass."""

    table: str
    rows_applied: int = 0
    rows_upserted: int = 0
    rows_deleted: int = 0
    rows_quarantined: int = 0
    commit: str | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class CheckCounts:
    """Checks that a pass evaluated; `failed` are errors, `warned` are failing checks that only warn."""

    passed: int = 0
    failed: int = 0
    warned: int = 0


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """What one pass came to."""

    ok: bool
    tables: tuple[TableResult, ...]
    checks: CheckCounts
    failed_checks: tuple[str, ...]
    """`asset: check: reason` of each check that failed as an error."""
    warned_checks: tuple[str, ...]
    """The same of those that only warn."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON of `autocorp sync --json`."""
        value = asdict(self)
        del value["failed_checks"], value["warned_checks"]
        return value


def sync(
    settings: Settings,
    tables: Sequence[str] | None = None,
    *,
    curate: Mapping[str, Any] = MappingProxyType({}),
    reload: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> SyncReport:
    """Replicate, transfer and curate once, through the Dagster instance of the data folder.

    Exports in the landing folder count as whole at once: who syncs says that they are.

    Args:
        settings: of the deployment.
        tables: only these; all unless given.
        curate: config of the op that curates, see `curated.requests`.
        reload: load the tables anew from the database first, and leave exports that have arrived for a later pass.
        on_progress: takes one line for the operator.

    Raises:
        SyncError: a table does not exist.
        KeyboardInterrupt: Ctrl-C; Spark has been stopped, and the next pass carries on.
    """
    import dagster as dg

    from autocorp_assets.operations.instance import open_instance, without_dead_runs

    # Dagster warns of what it uses itself.
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    contracts = _contracts(tables)
    started, began = time.monotonic(), time.time()
    steps = []
    with open_instance(settings) as instance, without_dead_runs(settings, instance):
        job = _job(settings, on_progress)
        for name, keys in _steps(contracts, with_exports=not reload):
            on_progress(name)
            step = _Step.run(job, keys, instance, _run_config(name, curate, reload=reload))
            on_progress(f"{name}: {'done' if step.result.success else 'FAILED'} in {step.seconds:.1f} s")
            steps.append(step)
        errors = _errors(contracts, steps)
        results = [_table_result(contract, instance, began, errors.get(contract.name)) for contract in contracts]
    return _report(results, steps, time.monotonic() - started)


def _contracts(tables: Sequence[str] | None) -> list[TableContract]:
    from autocorp_assets.contracts import TABLES

    if unknown := [name for name in tables or () if name not in TABLES]:
        message = f"no table {', '.join(unknown)}; there are {', '.join(TABLES)}"
        raise SyncError(message)
    return [TABLES[name] for name in tables or TABLES]


def _steps(contracts: Sequence[TableContract], *, with_exports: bool) -> Iterator[tuple[str, list[dg.AssetKey]]]:
    """Separate runs, in order: what has arrived is curated even if the source or one feed fails."""
    from autocorp_assets.asset_keys import curated_key, raw_feed_key, raw_table_key

    yield REPLICATE, [raw_table_key(contract.name) for contract in contracts]
    feeds = [raw_feed_key(contract.csv_feed.name) for contract in contracts if contract.csv_feed]
    if feeds and with_exports:
        yield "transfer exports", feeds
    yield CURATE, [curated_key(contract.name) for contract in contracts]


def _run_config(step: str, curate: Mapping[str, Any], *, reload: bool) -> dict[str, Any]:
    config: dict[str, Any] = {"loggers": {PROGRESS: {}}}
    if step == REPLICATE and reload:
        config["ops"] = {"replicate_database": {"config": {"reload": True}}}
    if step == CURATE and curate:
        config["ops"] = {CURATE: {"config": dict(curate)}}
    return config


def _job(settings: Settings, on_progress: Callable[[str], None]) -> dg.JobDefinition:
    from autocorp_assets.definitions import definitions
    from autocorp_assets.deployments import deployment_resources

    return definitions(
        settings,
        resources=deployment_resources(settings, exports_are_whole=True),
        loggers={PROGRESS: _progress_logger(on_progress)},
        scheduled_checks=False,
    ).resolve_implicit_global_asset_job_def()


def _progress_logger(on_progress: Callable[[str], None]) -> dg.LoggerDefinition:
    """Lets through what assets say, and not the many events of Dagster itself: those are in the UI."""
    import dagster as dg

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta = getattr(record, "dagster_meta", {})
            line = meta.get("orig_message") or record.getMessage()
            if not meta.get("dagster_event") and not line.startswith(PIPES_CHATTER):
                on_progress(line)

    @dg.logger
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("autocorp.sync", level=logging.INFO)
        logger.addHandler(Forward())
        return logger

    return progress


@dataclass(frozen=True, kw_only=True)
class _Step:
    result: dg.ExecuteInProcessResult
    seconds: float

    @classmethod
    def run(
        cls, job: dg.JobDefinition, keys: list[dg.AssetKey], instance: dg.DagsterInstance, run_config: dict[str, Any]
    ) -> _Step:
        import dagster as dg

        started = time.monotonic()
        try:
            # What a job prints, Pipes prints here: standard output is the command's own.
            with redirect_stdout(sys.stderr):
                result = job.execute_in_process(
                    instance=instance,
                    asset_selection=keys,
                    raise_on_error=False,
                    run_config=run_config,
                    tags={"autocorp/trigger": "sync"},
                )
        except dg.DagsterExecutionInterruptedError as interrupted:
            raise KeyboardInterrupt from interrupted
        if any(_is_interruption(event) for event in result.all_events):
            raise KeyboardInterrupt
        return cls(result=result, seconds=time.monotonic() - started)

    def failures(self) -> list[dg.DagsterEvent]:
        return [event for event in self.result.all_events if event.is_step_failure]


def _is_interruption(event: dg.DagsterEvent) -> bool:
    """Within a step, Dagster takes Ctrl-C for a failure of that step."""
    import dagster as dg

    error = getattr(event.event_specific_data, "error", None)
    return error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__


def _report(results: Sequence[TableResult], steps: Sequence[_Step], seconds: float) -> SyncReport:
    import dagster as dg

    evaluations = [evaluation for step in steps for evaluation in step.result.get_asset_check_evaluations()]
    failing = [evaluation for evaluation in evaluations if not evaluation.passed]
    failed = [evaluation for evaluation in failing if evaluation.severity is dg.AssetCheckSeverity.ERROR]
    return SyncReport(
        ok=not failed and all(step.result.success for step in steps),
        tables=tuple(results),
        checks=CheckCounts(
            passed=len(evaluations) - len(failing), failed=len(failed), warned=len(failing) - len(failed)
        ),
        failed_checks=_told(failed),
        warned_checks=_told(evaluation for evaluation in failing if evaluation not in failed),
        seconds=round(seconds, 3),
    )


def _told(evaluations: Iterable[dg.AssetCheckEvaluation]) -> tuple[str, ...]:
    return tuple(
        f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}: {evaluation.description or 'failed'}"
        for evaluation in evaluations
    )


def _errors(contracts: Sequence[TableContract], steps: Sequence[_Step]) -> Mapping[str, str]:
    """By table: the curated op names its bad ones; a step before it concerns all tables that it feeds."""
    errors: dict[str, str] = {}
    for name, found in (item for step in steps for item in _failures(step, contracts)):
        errors[name] = f"{errors[name]}; {found}" if name in errors else found
    return errors


def _failures(step: _Step, contracts: Sequence[TableContract]) -> Iterator[tuple[str, str]]:
    events = step.failures()
    for event in events:
        yield from step_errors(event, contracts)
    if not events and not step.result.success:
        # A resource that could not be made: no step ever started.
        ended = next(event for event in step.result.all_events if event.is_job_failure)
        yield from ((contract.name, root_cause(ended.job_failure_data.error)) for contract in contracts)


def step_errors(event: dg.DagsterEvent, contracts: Sequence[TableContract]) -> Iterator[tuple[str, str]]:
    """(table, reason) of each table that a failed step left behind: those that it names, or all that it feeds."""
    import dagster as dg

    told = event.step_failure_data.user_failure_data
    named = told.metadata.get("errors") if told else None
    if isinstance(named, dg.JsonMetadataValue):
        yield from ((table, str(error)) for table, error in json.loads(json.dumps(named.data)).items())
        return
    text = (told.description if told else None) or root_cause(event.step_failure_data.error)
    yield from ((table, text) for table in _fed_by(event.step_key or "", contracts))


def root_cause(error: dg.SerializableErrorInfo | None) -> str:
    """The message of the error that started it, without Dagster's wrapping."""
    if error is None:
        return "failed without a reason"
    while error.cause is not None:
        error = error.cause
    return error.message.strip()


def _fed_by(step: str, contracts: Iterable[TableContract]) -> list[str]:
    """Tables that wait for a step: `transfer_<feed>` is one table's business, the others everybody's."""
    own = [c.name for c in contracts if c.csv_feed and step == f"transfer_{c.csv_feed.name}"]
    return own or [contract.name for contract in contracts]


def _table_result(
    contract: TableContract, instance: dg.DagsterInstance, since: float, error: str | None
) -> TableResult:
    """From all materialisations of the pass's time: where the platform runs, its own run may have been quicker."""
    import dagster as dg

    from autocorp_assets.asset_keys import curated_key

    wanted = dg.AssetRecordsFilter(asset_key=curated_key(contract.name), after_timestamp=since)
    records = instance.fetch_materializations(wanted, limit=_MATERIALIZATIONS, ascending=True).records
    found = [dict(_plain(record.asset_materialization.metadata)) for record in records if record.asset_materialization]
    counts = ("rows_applied", "rows_upserted", "rows_deleted", "rows_quarantined")
    return TableResult(
        table=contract.name,
        commit=found[-1]["commit"] if found else None,
        error=error,
        **{name: sum(metadata.get(name, 0) for metadata in found) for name in counts},
    )


def _plain(metadata: Mapping[str, dg.MetadataValue]) -> Iterator[tuple[str, Any]]:
    yield from ((name, value.value) for name, value in metadata.items())
