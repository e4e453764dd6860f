"""The curated tables: one op, one pool slot and at most one Spark job for all that is pending."""

from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from autocorp_assets.asset_keys import LAKE_WRITER, curated_key
from autocorp_assets.checks.curated import check_specs
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.curated.failures import raise_for_bad
from autocorp_assets.curated.reports import Reports, Results
from autocorp_assets.curated.requests import CURATE, CurateConfig, RebuildConfig
from autocorp_assets.curated.specs import curated_spec
from autocorp_assets.lake.rebuilding import RebuildError, plan_rebuild
from autocorp_assets.lake.selection import Selection, SelectionError, describe_selected, selected_files
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.ports.catalog import Catalog
from autocorp_assets.resources.ports.job_runner import JobRunner
from autocorp_assets.resources.ports.query import Query
from autocorp_assets.resources.ports.replication import Replication
from spark_jobs.plan import TablePlan


def curated_tables(
    contracts: Mapping[str, TableContract],
    *,
    condition: dg.AutomationCondition,
    checks_apart: Collection[dg.AssetCheckKey] = (),
    retry_delay_seconds: float = 5,
) -> dg.AssetsDefinition:
    """All curated tables as one multi-asset, any part of which can be run.

    Args:
        contracts: by table.
        condition: when they are brought up to date.
        checks_apart: checks of theirs that run at other times, whose last results a run tells again.
        retry_delay_seconds: before the op is tried once more.
    """

    @dg.multi_asset(
        name=CURATE,
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
        unplanned: dict[str, str] = {}
        with job_runner.hold_writer(on_wait=context.log.info) as writer:
            plans = plans_of(context, config, lake, [contract.name for contract in selected], unplanned)
            selected = [contract for contract in selected if contract.name in plans]
            pending = [plan for plan in plans.values() if not plan.is_empty]
            context.log.info(describe_pending(pending))
            outcome = writer.run(context=context, plans=pending) if pending else None
        idle = [contract for contract in selected if plans[contract.name].is_empty]
        reports = Reports(context=context, lake=lake, query=query, replication=replication, checks_apart=checks_apart)
        yield from reports.unchanged(idle)
        if outcome is not None:
            told = {curated_key(plan.table): (contracts[plan.table], plan) for plan in pending}
            yield from reports.curated(outcome, told)
        uncatalogued = reports.enter(catalog)
        raise_for_bad(outcome, pending, unplanned, retry_delay_seconds)
        if uncatalogued:
            raise uncatalogued

    return curate


def plans_of(
    context: dg.AssetExecutionContext,
    config: CurateConfig,
    lake: LakeStorage,
    tables: Sequence[str],
    unplanned: dict[str, str],
) -> Mapping[str, TablePlan]:
    """What the run does to each of the tables that it concerns.

    Args:
        context: of the run.
        config: what the operator asks for.
        lake: is listed.
        tables: that the run selects.
        unplanned: takes up those of which it cannot be told, and why: they do not hold up the others.

    Raises:
        dg.Failure: what the operator asks for cannot be done; its text says why, and what there is.
    """
    try:
        if config.rebuild:
            return rebuild_plans(config.rebuild, lake, tables)
        if not config.replay:
            return lake.pending_plans(tables, on_unreadable=unplanned.__setitem__)
        again = selected_files(lake, config.replay.selection())
    except SelectionError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    context.log.info(describe_selected(again))
    wanted = [table for table in tables if table in again]
    return lake.pending_plans(wanted, again=again, on_unreadable=unplanned.__setitem__)


def rebuild_plans(rebuild: RebuildConfig, lake: LakeStorage, tables: Sequence[str]) -> Mapping[str, TablePlan]:
    """Plans that make tables anew.

    Raises:
        SelectionError: there is no such table.
        dg.Failure: raw has lost files of some; nothing is done to any then.
    """
    plans, errors = {}, {}
    for table in Selection(tables=tuple(rebuild.tables)).table_names():
        if table in tables:
            try:
                plans[table] = plan_rebuild(lake, table, without_missing=rebuild.without_missing)
            except RebuildError as error:
                errors[table] = str(error)
    if errors:
        raise dg.Failure(description="\n".join(errors.values()), metadata={"errors": errors}, allow_retries=False)
    return plans


def describe_pending(pending: Sequence[TablePlan]) -> str:
    """The work ahead, in one line."""
    if not pending:
        return "nothing pending: every raw file has been applied"
    told = (f"{plan.table} ({len(plan.files):,} files{', from nothing' * plan.from_nothing})" for plan in pending)
    return f"pending: {', '.join(told)}"
