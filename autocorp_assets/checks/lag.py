"""How far raw is behind the source, by the word of what replicates."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from autocorp_assets.asset_keys import raw_table_key
from autocorp_assets.automation.completeness import heard_until
from autocorp_assets.checks.meaning import WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.resources.ports.replication import Replication, ReplicationError, ReplicationState

LAG = "lag"


def lag_checks(contracts: Mapping[str, TableContract]) -> dg.AssetChecksDefinition:
    """One check of each raw table, all from one look at replication; `automation.lag` has their results told."""

    @dg.multi_asset_check(
        name="lag_checks", specs=[_spec(contract) for contract in contracts.values()], can_subset=True
    )
    def lag(
        context: dg.AssetCheckExecutionContext, replication: dg.ResourceParam[Replication]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {key.asset_key for key in context.selected_asset_check_keys}
        wanted = [contract for contract in contracts.values() if raw_table_key(contract.name) in selected]
        for _, result in look_at_lag(context.instance, wanted, replication, now=datetime.now(UTC)):
            yield result

    return lag


def look_at_lag(
    instance: dg.DagsterInstance, contracts: Iterable[TableContract], replication: Replication, *, now: datetime
) -> Iterator[tuple[TableContract, dg.AssetCheckResult]]:
    """How each table stands, by one question to replication and one look-up a table."""
    try:
        state = replication.state()
    except ReplicationError as error:
        state = ReplicationState(running=False, should_run=True, summary=str(error))
    for contract in contracts:
        found = instance.fetch_materializations(raw_table_key(contract.name), limit=1).records
        yield contract, judge_lag(contract, state, arrived=found[0] if found else None, now=now)


def judge_lag(
    contract: TableContract, state: ReplicationState, *, arrived: dg.EventLogRecord | None, now: datetime
) -> dg.AssetCheckResult:
    """A warning if raw is further behind than the table may be, or if nobody can tell. Pure.

    Args:
        contract: the table.
        state: where replication stands.
        arrived: the last report of what raw holds of the table; None before the first.
        now: an aware time.
    """
    known = heard_until(state, now=now, table=contract.name)
    behind = None if known is None else max(0.0, (now - known).total_seconds())
    since_arrival = None if arrived is None else max(0.0, now.timestamp() - arrived.timestamp)
    age = since_arrival if behind is None else behind
    allowed = contract.service_level.warn_minutes * 60
    return dg.AssetCheckResult(
        asset_key=raw_table_key(contract.name),
        check_name=LAG,
        passed=age is not None and age <= allowed,
        severity=dg.AssetCheckSeverity.WARN,
        description=_describe(contract, state, behind=behind, since_arrival=since_arrival),
        metadata={
            **({} if behind is None else {"lag_seconds": round(behind, 1)}),
            **({} if known is None else {"complete_until": dg.MetadataValue.timestamp(known)}),
            **_arrival(arrived),
            "lag_allowed_seconds": allowed,
            "replication_runs": state.running,
            "replication": state.summary,
        },
    )


def _describe(
    contract: TableContract, state: ReplicationState, *, behind: float | None, since_arrival: float | None
) -> str:
    if behind is not None:
        return f"raw is at most {behind:,.0f} s behind the source"
    why = "the table has dropped out of replication" if contract.name in state.tables_in_error else state.summary
    arrived = "nothing ever arrived" if since_arrival is None else f"something last arrived {since_arrival:,.0f} s ago"
    return f"how far raw is behind cannot be told: {why}; {arrived}"


def _arrival(arrived: dg.EventLogRecord | None) -> dict[str, Any]:
    """The newest change file by name, and when its arrival was reported."""
    event = arrived.asset_materialization if arrived else None
    if arrived is None or event is None:
        return {}
    newest = event.metadata.get("newest_file")
    return {
        "arrival_reported": dg.MetadataValue.timestamp(arrived.timestamp),
        **({"newest_file": newest} if newest else {}),
    }


def _spec(contract: TableContract) -> dg.AssetCheckSpec:
    minutes = contract.service_level.warn_minutes
    meaning = CheckMeaning(
        title="Raw keeps up with the source",
        answers=Question.FRESH,
        runs=Occasion.EACH_LOOK,
        severity=WARNING,
        means=(
            f"Replication says that raw holds all of `{contract.name}` that the source had committed {minutes} minutes "
            "ago. If it fails, raw is further behind, or nobody can tell, since replication is down or has lost touch "
            "with the source. A source in which nothing happens is not behind."
        ),
        what_to_do=(
            "`autocorp status` says where replication stands, and `autocorp doctor` what keeps it from running. It "
            "catches up by itself once it runs; the source keeps its log until then, up to a limit."
        ),
    )
    return dg.AssetCheckSpec(
        name=LAG, asset=raw_table_key(contract.name), description=meaning.description, metadata=meaning.metadata
    )
