import json
import sys
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from autocorp_assets.checks.schemas import polars_type
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.contracts.raw_format import COMMIT_TIME, LOAD_MANIFESTS, SEQUENCE, table_prefix
from autocorp_assets.curated.requests import curate_config
from autocorp_assets.curated.tables import curated_tables
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.local_catalog import LocalCatalog
from autocorp_assets.resources.local_query import LocalQuery
from autocorp_assets.resources.ports.catalog import Catalog
from autocorp_assets.resources.ports.replication import ReplicationState
from autocorp_assets.resources.spark_job import SparkSubprocess
from autocorp_assets.settings import PROJECT_FOLDER

TEST_HOME = "AUTOCORP_TEST_HOME"
"""Variable that tells a code location of its own which folder the platform of the tests has."""
PARTS = [
    {"sku": "A-1", "name": "Brake pad", "price": 10},
    {"sku": "A-2", "name": "Oil filter", "price": 5},
]


def load(lake: Path, contract: TableContract, rows: list[dict], *, generation: int = 1) -> None:
    """A complete load of one table, as the replicator would leave it."""
    folder = lake / table_prefix(contract.name)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"LOAD{generation:08X}.parquet"
    schema = {column.name: polars_type(column) for column in contract.columns}
    frame = pl.DataFrame(
        [{column: row.get(column) for column in schema} for row in rows], schema=schema, strict=False
    ).with_columns(pl.lit("2026-01-02 03:04:05.000000").alias(COMMIT_TIME), pl.lit("0" * 35).alias(SEQUENCE))
    frame.write_parquet(folder / name)
    manifest = lake / LOAD_MANIFESTS / f"{generation:06d}.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    tables = json.loads(manifest.read_text())["tables"] if manifest.exists() else {}
    manifest.write_text(
        json.dumps(
            {
                "generation": generation,
                "start_sequence": f"{generation:035d}",
                "started_at": "2026-01-02T03:04:05Z",
                "completed_at": "2026-01-02T03:04:06Z",
                "tables": {**tables, contract.name: {"rows": len(rows), "files": [name]}},
            }
        )
    )


class Platform:
    """The curated op over a lake in a folder, with a real subprocess that stands in for Spark."""

    def __init__(self, home: Path) -> None:
        self.lake = home / "lake"
        self.logs = home / "logs"
        self.behaviour: dict[str, str] = {}
        self.instance = dg.DagsterInstance.ephemeral()
        self.source_error: str | None = None
        self.checks_apart: list[dg.AssetCheckKey] = []
        self.catalog: Catalog = LocalCatalog(lake=self.lake)
        self.replicates = ReplicationState(
            running=True, should_run=True, summary="streaming", silent_seconds=1, is_following=True
        )

    def state(self) -> ReplicationState:
        """As the replication resource, of which nothing else is asked."""
        return self.replicates

    @property
    def runner(self) -> SparkSubprocess:
        return SparkSubprocess(
            lake=self.lake,
            logs=self.logs,
            folder=PROJECT_FOLDER,
            spark_conf=self.behaviour,
            command=(sys.executable, "-m", "autocorp_assets_tests.curated.stand_in_job"),
        )

    @property
    def resources(self) -> dict[str, object]:
        return {
            "lake": LakeStorage(self.lake),
            "job_runner": self.runner,
            "catalog": self.catalog,
            "query": LocalQuery(lake=self.lake),
            "replication": self,
        }

    def curate(self, *tables: str, **config: object) -> dg.ExecuteInProcessResult:
        """A run of these tables; `config` is that of the op."""
        contracts = {name: TABLES[name] for name in tables}
        return dg.materialize(
            [
                curated_tables(
                    contracts,
                    condition=dg.AutomationCondition.eager(),
                    checks_apart=self.checks_apart,
                    retry_delay_seconds=0,
                )
            ],
            resources=self.resources,
            run_config=curate_config(config),
            raise_on_error=False,
            instance=self.instance,
        )


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)
