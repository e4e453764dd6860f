"""The raw tables of the database: replication moves the rows, the op makes sure that it has."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

import dagster as dg

from autocorp_assets.asset_keys import raw_table_key
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import table_prefix
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.raw.specs import raw_table_spec
from autocorp_assets.resources.ports.replication import CaughtUp, Replication, ReplicationError
from spark_jobs.plan import LoadManifest

DEADLINE_SECONDS = 15 * 60
"""A first load of 3 million rows takes a few minutes; later passes take seconds."""


class RawDatabaseConfig(dg.Config):
    """What may be set for one run."""

    deadline_seconds: float = DEADLINE_SECONDS
    reload: bool = False
    """Load the selected tables anew: afterwards each is what the source holds, whatever became of it in the lake."""


def raw_database(contracts: Mapping[str, TableContract]) -> dg.AssetsDefinition:
    """All raw tables of the database as one multi-asset: they share one stream of changes."""

    @dg.multi_asset(
        name="replicate_database",
        specs=[raw_table_spec(contract) for contract in contracts.values()],
        can_subset=True,
        description="Wait until raw has passed the position that the source had at the start; never moves rows itself. "
        "With `reload: true` the selected tables are loaded anew first.",
    )
    def replicate_database(
        context: dg.AssetExecutionContext,
        config: RawDatabaseConfig,
        replication: dg.ResourceParam[Replication],
        lake: dg.ResourceParam[LakeStorage],
    ) -> Iterator[dg.MaterializeResult]:
        selected = [name for name in contracts if raw_table_key(name) in context.selected_asset_keys]
        seconds, tell = config.deadline_seconds, context.log.info
        try:
            reloaded = replication.reload(selected, deadline_seconds=seconds, on_progress=tell) if config.reload else {}
            caught_up = replication.catch_up(deadline_seconds=seconds, on_progress=tell)
        except ReplicationError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        refused = {name: caught_up.refused.get(name) or reloaded.get(name) for name in selected}
        refused = {name: reason for name, reason in refused.items() if reason}
        manifests = lake.load_manifests()
        for name in selected:
            if name in refused:
                continue
            yield dg.MaterializeResult(
                asset_key=raw_table_key(name),
                metadata={
                    **describe_raw_table(lake, name, manifests.readable_of(name)),
                    **describe_replication(caught_up, name),
                },
            )
        if refused:
            reasons = "\n".join(f"- {name}: {reason}" for name, reason in refused.items())
            raise dg.Failure(
                description=f"{len(refused)} of {len(selected)} tables could not be loaded:\n{reasons}",
                metadata={"errors": refused},
                allow_retries=False,
            )

    return replicate_database


def describe_raw_table(lake: LakeStorage, table: str, loads: Iterable[LoadManifest]) -> dict[str, dg.MetadataValue]:
    """What lies in raw of a table: files, bytes, rows of the newest of its complete loads, where."""
    files = lake.raw_files(table_prefix(table))
    newest_load = max(loads, key=lambda load: load.generation, default=None)
    return {
        "files": dg.MetadataValue.int(len(files)),
        "bytes": dg.MetadataValue.int(sum(file.size for file in files)),
        "newest_file": dg.MetadataValue.text(newest([file.name for file in files])),
        "load_generation": dg.MetadataValue.int(newest_load.generation if newest_load else 0),
        "load_rows": dg.MetadataValue.int(newest_load.rows if newest_load else 0),
        "path": dg.MetadataValue.path(f"{lake.root}/{table_prefix(table)}"),
    }


def describe_replication(caught_up: CaughtUp, table: str) -> dict[str, str | float]:
    """How far raw is, and what a service that counts has done to the table."""
    told: dict[str, str | float] = {"position": caught_up.position, "seconds": round(caught_up.seconds, 3)}
    if caught_up.lag_seconds is not None:
        told["lag_seconds"] = caught_up.lag_seconds
    counters = caught_up.tables.get(table)
    return told if counters is None else {**told, **asdict(counters)}


def newest(names: Sequence[str]) -> str:
    """The change file flushed last, else the last load file; empty without any."""
    changes = [name for name in names if not name.startswith("LOAD")]
    return max(changes or names, default="")
