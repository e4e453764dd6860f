"""The curated tables: one op, one pool slot and at most one Spark job for all that is pending."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from autocorp_assets.asset_keys import LAKE_WRITER, curated_key, raw_table_key
from autocorp_assets.automation.completeness import heard_until
from autocorp_assets.checks.curated import check_specs, check_table, still_holding
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.curated.metadata import (
    ROW_COUNTS,
    files_metadata,
    quality_metadata,
    quarantine_metadata,
    seconds_metadata,
    size_metadata,
    unknown_columns_metadata,
)
from autocorp_assets.curated.specs import curated_spec
from autocorp_assets.lake.snapshots import Snapshot, read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.ports import (
    Catalog,
    CatalogError,
    JobOutcome,
    JobRunner,
    Query,
    Replication,
    ReplicationError,
    ReplicationState,
)
from spark_jobs.plan import TablePlan

Results = Iterator[dg.MaterializeResult | dg.AssetCheckResult]
Stored = dict[str, Mapping[str, str]]
"""Columns and their types by table, as the run leaves them."""


@dataclass(frozen=True, kw_only=True)
class BadTable:
    """Why a table was not curated."""

    table: str
    error: str
    file: str | None = None

    def __str__(self) -> str:
        where = f" (file {self.file})" if self.file else ""
        return f"{self.table}{where}: {self.error}"


class CurateConfig(dg.Config):
    """What may be set for one run."""

    again: dict[str, list[str]] = Field(
        default={},
        description=(
            "By table, raw files (paths below the lake's root) to judge once more although they were applied: after "
            "a rule was mended, say. Newer changes of the rows in them stay newer."
        ),
    )


def curated_tables(
    contracts: Mapping[str, TableContract], *, condition: dg.AutomationCondition, retry_delay_seconds: float = 5
) -> dg.AssetsDefinition:
    """All curated tables as one multi-asset, any part of which can be run."""

    @dg.multi_asset(
        name="curate",
        specs=[curated_spec(contract, condition=condition) for contract in contracts.values()],
        check_specs=[spec for contract in contracts.values() for spec in check_specs(contract)],
        can_subset=True,
        pool=LAKE_WRITER,
        description="Validate, standardise, reduce and merge what raw has new, in one Spark job.",
    )
    def curate(  # noqa: PLR0917 Dagster gives resources by name
        context: dg.AssetExecutionContext,
        config: CurateConfig,
        lake: dg.ResourceParam[LakeStorage],
        job_runner: dg.ResourceParam[JobRunner],
        catalog: dg.ResourceParam[Catalog],
        query: dg.ResourceParam[Query],
        replication: dg.ResourceParam[Replication],
    ) -> Results:
        selected = [c for name, c in contracts.items() if curated_key(name) in context.selected_asset_keys]
        with job_runner.hold_writer(on_wait=context.log.info) as writer:
            plans = lake.pending_plans((contract.name for contract in selected), again=config.again)
            pending = [plan for plan in plans.values() if not plan.is_empty]
            context.log.info(describe_pending(pending))
            outcome = writer.run(context=context, plans=pending) if pending else None
        idle = [contract for contract in selected if plans[contract.name].is_empty]
        stored: Stored = {}
        yield from _unchanged(context, idle, lake=lake, query=query, replication=replication, stored=stored)
        if outcome is not None:
            told = {curated_key(plan.table): (contracts[plan.table], plan) for plan in pending}
            yield from _curated(context, outcome, told, lake=lake, query=query, stored=stored)
        uncatalogued = _enter(context, catalog, stored)
        if outcome is not None:
            _raise_for_bad(outcome, pending, retry_delay_seconds)
        if uncatalogued:
            raise uncatalogued

    return curate


def describe_pending(pending: Sequence[TablePlan]) -> str:
    """The work ahead, in one line."""
    if not pending:
        return "nothing pending: every raw file has been applied"
    return "pending: " + ", ".join(f"{plan.table} ({len(plan.files)} files)" for plan in pending)


def describe_counts(counts: Mapping[str, int]) -> str:
    """Rows by outcome, without those of which there are none."""
    found = [f"{rows:,} {name.removeprefix('rows_')}" for name, rows in counts.items() if rows]
    return ", ".join(found) or "no rows"


def bad_tables(outcome: JobOutcome, pending: Sequence[TablePlan]) -> list[BadTable]:
    """Every table of the job that has no new commit, with the reason that the job gave or its death."""
    good = {result.asset_key for result in outcome.results}
    told = {message["table"]: message for message in outcome.messages if "error" in message}
    bad = []
    for name in (plan.table for plan in pending):
        if message := told.get(name):
            bad.append(BadTable(table=name, error=message["error"], file=message.get("file")))
        elif curated_key(name) not in good:
            reason = outcome.ended or "the Spark job ended without a word about this table"
            bad.append(BadTable(table=name, error=f"{reason}; nothing of it was committed"))
    return bad


def _enter(context: dg.AssetExecutionContext, catalog: Catalog, stored: Stored) -> dg.Failure | None:
    """Have the catalog follow the tables; also those that are unchanged, since an earlier run may have failed here."""
    try:
        for done in catalog.register(stored):
            context.log.info(done)
    except CatalogError as error:
        context.log.error(f"query catalogue: {error}")
        return dg.Failure(
            description=f"The tables are up to date, but SQL engines may not see them as they are: {error}",
            allow_retries=False,
        )
    return None


def _unchanged(
    context: dg.AssetExecutionContext,
    idle: Sequence[TableContract],
    *,
    lake: LakeStorage,
    query: Query,
    replication: Replication,
    stored: Stored,
) -> Results:
    """Tables that have taken in everything; one that does not exist yet stays unmaterialised.

    So does one of which nobody knows whether raw holds everything: called fresh, it would hide a silent pipe. That a
    run has looked is recorded as an observation, which says nothing of its freshness.
    """
    existing = [(contract, found) for contract in idle if (found := read_snapshot(lake.root, contract))]
    state = replication_state(context, replication) if existing else None
    for contract, snapshot in existing:
        stored[contract.name] = snapshot.columns
        if not is_raw_complete(context.instance, contract, state, now=datetime.now(UTC)):
            told = f"nothing pending, and it is not known whether raw holds all that the source has: {_standing(state)}"
            context.log.warning(f"{contract.name}: {told}. It is not called fresh")
            context.log_event(dg.AssetObservation(asset_key=curated_key(contract.name), description=told))
        else:
            yield dg.MaterializeResult(
                asset_key=curated_key(contract.name),
                data_version=dg.DataVersion(snapshot.commit),
                metadata={
                    **dict.fromkeys(ROW_COUNTS, 0),
                    **size_metadata(snapshot),
                    "commit": snapshot.commit,
                    **_where(contract, lake),
                },
            )
        yield from check_table(contract, snapshot=snapshot, files=(), selected=_checks(context), query=query)
        yield from still_holding(contract, context.instance, _checks(context))


def replication_state(context: dg.AssetExecutionContext, replication: Replication) -> ReplicationState | None:
    """None where it cannot be asked, which fails no table."""
    try:
        return replication.state()
    except ReplicationError as error:
        context.log.warning(str(error))
        return None


def is_raw_complete(
    instance: dg.DagsterInstance, contract: TableContract, state: ReplicationState | None, *, now: datetime
) -> bool:
    """Whether raw holds all that the source had committed a moment ago: what a table is late by does not count as one.

    Where replication runs by itself its own word counts; after a pass of `autocorp sync` it is over, and the pass does.
    """
    late = timedelta(minutes=contract.service_level.warn_minutes)
    if state is None or state.running or state.should_run:
        heard = heard_until(state, now=now, table=contract.name)
        return heard is not None and now - heard < late
    passed = instance.fetch_materializations(raw_table_key(contract.name), limit=1).records
    return bool(passed) and now.timestamp() - passed[0].timestamp < late.total_seconds()


def _standing(state: ReplicationState | None) -> str:
    if state is None:
        return "nobody can say how replication stands"
    said = "" if state.silent_seconds is None else f", as of {state.silent_seconds:.0f} s ago"
    return f"replication {'runs' if state.running else 'does not run'} ({state.summary}{said})"


def _curated(
    context: dg.AssetExecutionContext,
    outcome: JobOutcome,
    plans: Mapping[dg.AssetKey, tuple[TableContract, TablePlan]],
    *,
    lake: LakeStorage,
    query: Query,
    stored: Stored,
) -> Results:
    for result in outcome.results:
        contract, plan = plans[_key(result)]
        metadata = dict(result.metadata or {})
        files = _files(metadata)
        snapshot = read_snapshot(lake.root, contract)
        found = _found(contract, plan, metadata, snapshot, lake) if snapshot else {}
        shown = {name: value for name, value in metadata.items() if name != "unknown_columns"}
        yield result._replace(
            metadata={
                **shown,
                **files_metadata(files),
                **found,
                **_where(contract, lake),
                "job_log": _log(outcome),
            }
        )
        context.log.info(f"{contract.name}: {describe_counts(_counts(metadata))}")
        if snapshot:
            stored[contract.name] = snapshot.columns
            yield from check_table(contract, snapshot=snapshot, files=files, selected=_checks(context), query=query)


def _found(
    contract: TableContract, plan: TablePlan, reported: Mapping[str, object], snapshot: Snapshot, lake: LakeStorage
) -> dict[str, Any]:
    """What the job's own numbers mean, and what the table is now."""
    counts = _counts(reported)
    committed = range(plan.checkpoint.revision + 1, snapshot.revision + 1)
    return {
        **size_metadata(snapshot),
        **quality_metadata(counts),
        **seconds_metadata({name: _plain(value) for name, value in reported.items()}),
        **quarantine_metadata(lake, contract, rows=counts.get("rows_quarantined", 0), revisions=committed),
        **unknown_columns_metadata(_plain(reported.get("unknown_columns")) or (), snapshot.columns),
    }


def _raise_for_bad(outcome: JobOutcome, pending: Sequence[TablePlan], retry_delay_seconds: float) -> None:
    bad = bad_tables(outcome, pending)
    if not bad:
        return
    failure = dg.Failure(
        description="\n".join(
            [
                f"{len(bad)} of {len(pending)} tables were not curated; the others are up to date.",
                *(f"- {table}" for table in bad),
                f"Raw keeps every file: once the cause is gone, run again. Log of the job: {outcome.log}",
                *([f"Its last lines:\n{outcome.tail}"] if outcome.tail else []),
            ]
        ),
        metadata={
            "job_log": _log(outcome),
            "errors": {table.table: str(table) for table in bad},
        },
    )
    if outcome.ended is None or not outcome.retry_soon:
        raise failure
    # Data that is refused once is refused again; only a process that died deserves a second try: commits are
    # atomic, and the second run plans anew. Not a RetryPolicy, which Dagster applies to Ctrl-C as well.
    raise dg.RetryRequested(max_retries=1, seconds_to_wait=retry_delay_seconds) from failure


def _checks(context: dg.AssetExecutionContext) -> frozenset[dg.AssetCheckKey]:
    return frozenset(context.selected_asset_check_keys)


def _log(outcome: JobOutcome) -> dg.MetadataValue:
    log = str(outcome.log)
    return dg.MetadataValue.url(log) if "://" in log else dg.MetadataValue.path(log)


def _where(contract: TableContract, lake: LakeStorage) -> dict[str, dg.MetadataValue]:
    return {"path": dg.MetadataValue.path(f"{lake.root}/{contract.lake_path}")}


def _key(result: dg.MaterializeResult) -> dg.AssetKey:
    if result.asset_key is None:
        message = "the Spark job reported a table without its key"
        raise ValueError(message)
    return result.asset_key


def _counts(metadata: Mapping[str, object]) -> dict[str, int]:
    return {name: int(_plain(metadata[name])) for name in ROW_COUNTS if name in metadata}


def _files(metadata: Mapping[str, object]) -> Sequence[Mapping[str, Any]]:
    return _plain(metadata.get("files")) or ()


def _plain(value: object) -> Any:
    return value.value if isinstance(value, dg.MetadataValue) else value
