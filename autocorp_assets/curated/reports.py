"""What a run of the curated op tells Dagster of its tables."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from autocorp_assets.asset_keys import curated_key, raw_table_key
from autocorp_assets.automation.completeness import heard_until
from autocorp_assets.checks.curated import check_table, still_holding
from autocorp_assets.checks.results import told_by_a_run
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.curated.failures import job_log
from autocorp_assets.curated.metadata import (
    JOB_LOG,
    ROW_COUNTS,
    files_metadata,
    in_reading_order,
    quality_metadata,
    quarantine_metadata,
    seconds_metadata,
    size_metadata,
    unknown_columns_metadata,
)
from autocorp_assets.lake.snapshots import Snapshot, read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.ports.catalog import Catalog, CatalogError
from autocorp_assets.resources.ports.job_runner import JobOutcome
from autocorp_assets.resources.ports.query import Query
from autocorp_assets.resources.ports.replication import Replication, ReplicationError, ReplicationState
from spark_jobs.plan import TablePlan

Results = Iterator[dg.MaterializeResult | dg.AssetCheckResult | dg.AssetCheckEvaluation]


@dataclass(frozen=True, kw_only=True)
class Reports:
    """Of one run."""

    context: dg.AssetExecutionContext
    lake: LakeStorage
    query: Query
    replication: Replication
    checks_apart: Collection[dg.AssetCheckKey]
    """Checks of the tables that run at other times than these do."""
    stored: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Columns and their types by table, as the run leaves them."""

    def unchanged(self, idle: Sequence[TableContract]) -> Results:
        """Tables that have taken in everything; one that does not exist yet stays unmaterialised.

        So does one of which nobody knows whether raw holds everything: called fresh, it would hide a silent pipe.
        That a run has looked is recorded as an observation, which says nothing of its freshness.
        """
        existing = [(contract, found) for contract in idle if (found := read_snapshot(self.lake.root, contract))]
        state = replication_state(self.context, self.replication) if existing else None
        for contract, snapshot in existing:
            self.stored[contract.name] = snapshot.columns
            if not is_raw_complete(self.context.instance, contract, state, now=datetime.now(UTC)):
                told = f"nothing pending, and nobody knows whether raw holds all of the source: {_standing(state)}"
                self.context.log.warning(f"{contract.name}: {told}. It is not called fresh")
                self.context.log_event(dg.AssetObservation(asset_key=curated_key(contract.name), description=told))
            else:
                yield dg.MaterializeResult(
                    asset_key=curated_key(contract.name),
                    data_version=dg.DataVersion(snapshot.commit),
                    metadata={
                        **dict.fromkeys(ROW_COUNTS, 0),
                        **size_metadata(snapshot),
                        "commit": snapshot.commit,
                        **self._where(contract),
                    },
                )
                yield from self._checks_apart(contract)
            yield from check_table(contract, snapshot=snapshot, files=(), selected=self._checks, query=self.query)
            yield from still_holding(contract, self.context.instance, self._checks)

    def curated(self, outcome: JobOutcome, plans: Mapping[dg.AssetKey, tuple[TableContract, TablePlan]]) -> Results:
        """Tables that the job has committed, each with its checks."""
        for result in outcome.results:
            contract, plan = plans[_key(result)]
            metadata = dict(result.metadata or {})
            files = _files(metadata)
            snapshot = read_snapshot(self.lake.root, contract)
            found = self._found(contract, plan, metadata, snapshot) if snapshot else {}
            shown = {name: value for name, value in metadata.items() if name != "unknown_columns"}
            yield result._replace(
                metadata=in_reading_order(
                    {
                        JOB_LOG: job_log(outcome),
                        **shown,
                        **files_metadata(files),
                        **found,
                        **self._where(contract),
                    }
                )
            )
            yield from self._checks_apart(contract)
            self.context.log.info(f"{contract.name}: {describe_counts(_counts(metadata))}")
            if snapshot:
                self.stored[contract.name] = snapshot.columns
                yield from check_table(
                    contract, snapshot=snapshot, files=files, selected=self._checks, query=self.query
                )

    def enter(self, catalog: Catalog) -> dg.Failure | None:
        """Have the catalog follow the tables, unchanged ones too: an earlier run may have failed here."""
        try:
            for done in catalog.register(self.stored):
                self.context.log.info(done)
        except CatalogError as error:
            self.context.log.error(f"query catalogue: {error}")
            return dg.Failure(
                description=f"The tables are up to date, but SQL engines may not see them as they are: {error}",
                allow_retries=False,
            )
        return None

    def _found(
        self, contract: TableContract, plan: TablePlan, reported: Mapping[str, object], snapshot: Snapshot
    ) -> dict[str, Any]:
        """What the job's own numbers mean, and what the table is now."""
        counts = _counts(reported)
        committed = range(plan.checkpoint.revision + 1, snapshot.revision + 1)
        return {
            **size_metadata(snapshot),
            **quality_metadata(counts),
            **seconds_metadata({name: _plain(value) for name, value in reported.items()}),
            **quarantine_metadata(self.lake, contract, rows=counts.get("rows_quarantined", 0), revisions=committed),
            **unknown_columns_metadata(_plain(reported.get("unknown_columns")) or (), snapshot.columns),
        }

    @property
    def _checks(self) -> frozenset[dg.AssetCheckKey]:
        return frozenset(self.context.selected_asset_check_keys)

    def _checks_apart(self, contract: TableContract) -> Iterator[dg.AssetCheckEvaluation]:
        keys = [key for key in self.checks_apart if key.asset_key == curated_key(contract.name)]
        return told_by_a_run(self.context.instance, keys)

    def _where(self, contract: TableContract) -> dict[str, dg.MetadataValue]:
        return {"path": dg.MetadataValue.path(f"{self.lake.root}/{contract.lake_path}")}


def describe_counts(counts: Mapping[str, int]) -> str:
    """Rows by outcome, without those of which there are none."""
    found = [f"{rows:,} {name.removeprefix('rows_')}" for name, rows in counts.items() if rows]
    return ", ".join(found) or "no rows"


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
