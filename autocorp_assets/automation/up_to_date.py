"""The check that a table is up to date: what lists and lineage of the UI show of freshness, once it is an error.

Dagster shows the state of a freshness policy on a table's own page only, and has no place there for a cause. The sensor
`freshness`, which looks twice a minute, tells of a table when its state changes; the check can also be executed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.causes import late_tables_text
from autocorp_assets.automation.completeness import (
    TableRecord,
    heard_until,
    raw_looked_at,
    read_record,
    state_of,
)
from autocorp_assets.automation.staleness import Standing, age_text
from autocorp_assets.checks.meaning import ERROR, WARNING, CheckMeaning, Occasion, Question
from autocorp_assets.checks.results import last_evaluations
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.resources.ports.replication import Replication, ReplicationState

UP_TO_DATE = "up_to_date"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What is the same for all tables when they are looked at. Times are UTC."""

    now: datetime
    state: ReplicationState
    looked_at: datetime | None
    """When the sensor of raw last looked; None where none does."""
    ui_url: str

    def standing(self, contract: TableContract, record: TableRecord) -> Standing:
        """How late a table is."""
        heard = heard_until(self.state, now=self.now, table=contract.name)
        known = min(heard, self.looked_at) if heard and self.looked_at else heard
        complete = record.complete_until(known, level=contract.service_level, now=self.now)
        return Standing(complete_until=complete, level=contract.service_level)

    def causes(self, instance: dg.DagsterInstance, records: Mapping[str, TableRecord]) -> str:
        """Why these tables are late, and what to do."""
        url = self.ui_url.rstrip("/")
        return late_tables_text(instance, records, self.state, ui_url=url, now=self.now, looked_at=self.looked_at)


def up_to_date_checks(
    contracts: Mapping[str, TableContract], *, ui_url: str, condition: dg.AutomationCondition
) -> list[dg.AssetChecksDefinition]:
    """One check a table; half a dozen look-ups in Dagster's records, and a question to replication."""
    return [_check(contract, ui_url, condition) for contract in contracts.values()]


def check_key(table: str) -> dg.AssetCheckKey:
    """Of the check of a curated table."""
    return dg.AssetCheckKey(curated_key(table), UP_TO_DATE)


def _check(contract: TableContract, ui_url: str, condition: dg.AutomationCondition) -> dg.AssetChecksDefinition:
    level = contract.service_level
    meaning = CheckMeaning(
        title="The table is up to date",
        answers=Question.FRESH,
        runs=Occasion.ALL_THE_TIME,
        severity=f"{WARNING} from {level.warn_minutes} minutes on, {ERROR} from {level.fail_minutes}",
        means=(
            "It is known to hold all that its source had committed a moment ago; a quiet source makes no table late. "
            "If it fails, queries do not see what has happened since the time that the result tells."
        ),
        what_to_do="What the result says: it names the cause and its remedy.",
    )

    @dg.asset_check(
        asset=curated_key(contract.name),
        automation_condition=condition,
        name=UP_TO_DATE,
        description=meaning.description,
        metadata=meaning.metadata,
    )
    def up_to_date(
        context: dg.AssetCheckExecutionContext, replication: dg.ResourceParam[Replication]
    ) -> dg.AssetCheckResult:
        moment = Moment(
            state=state_of(replication),
            looked_at=raw_looked_at(context.instance),
            ui_url=ui_url,
            now=datetime.now(UTC),
        )
        record = read_record(context.instance, contract)
        if record is None:
            return dg.AssetCheckResult(passed=True, description="The table does not exist yet.")
        return verdict(context.instance, contract.name, moment.standing(contract, record), record, moment)

    return up_to_date


def changed_verdicts(
    instance: dg.DagsterInstance,
    standings: Mapping[str, Standing],
    records: Mapping[str, TableRecord],
    moment: Moment,
) -> Iterator[dg.AssetCheckResult]:
    """Results for the tables whose state is another than people have last been shown."""
    shown = last_evaluations(instance, [check_key(table) for table in standings])
    for table, standing in standings.items():
        last = shown.get(check_key(table))
        known = (last.evaluation.passed, last.evaluation.passed or last.evaluation.severity) if last else None
        is_late = standing.is_late(moment.now)
        if known != (not is_late, not is_late or _severity(standing, moment.now)):
            yield verdict(instance, table, standing, records[table], moment)


def verdict(
    instance: dg.DagsterInstance, table: str, standing: Standing, record: TableRecord, moment: Moment
) -> dg.AssetCheckResult:
    """How a table stands, with cause and remedy if it is late."""
    age = age_text(standing.age(moment.now))
    told = f"Behind its source by {age} at most."
    if standing.is_late(moment.now):
        told = (
            f"Not known to be complete since {standing.complete_until:%Y-%m-%d %H:%M:%S} UTC, for {age}; allowed are "
            f"{standing.level.fail_minutes} min. {moment.causes(instance, {table: record})}"
        )
    return dg.AssetCheckResult(
        asset_key=curated_key(table),
        check_name=UP_TO_DATE,
        passed=not standing.is_late(moment.now),
        severity=_severity(standing, moment.now),
        description=told,
        metadata={
            "behind_seconds": round(standing.age(moment.now).total_seconds()),
            "known_complete_until": dg.MetadataValue.timestamp(standing.complete_until),
        },
    )


def _severity(standing: Standing, now: datetime) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if standing.is_stale(now) else dg.AssetCheckSeverity.WARN
