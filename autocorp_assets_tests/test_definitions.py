import subprocess
import sys

import dagster as dg

from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.definitions import defs

HEAVY = (
    "pyspark",
    "polars",
    "pandas",
    "pandera",
    "duckdb",
    "boto3",
    "deltalake",
    "hudi",
    "pyarrow",
    "psycopg",
    "numpy",
)


def test_the_code_location_can_be_loaded():
    dg.Definitions.validate_loadable(defs)


def test_the_assets_are_those_of_the_contracts():
    keys = {key.to_user_string() for key in defs.resolve_all_asset_keys()}

    assert keys == {
        *(f"{zone}/{table}" for table in TABLES for zone in ("source/autocorp", "raw/database", "curated")),
        *(f"{zone}/{feed}" for feed in FEEDS for zone in ("landing", "raw/csv")),
    }


def test_loading_it_imports_nothing_heavy():
    code = f"import sys, autocorp_assets.definitions; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.split() == []


def test_every_asset_says_what_it_is():
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.kinds, spec.key
        assert spec.group_name in {"source", "raw_database", "raw_csv", "curated"}, spec.key
        assert spec.metadata["dagster/column_schema"].columns, spec.key
        if spec.group_name != "source":
            assert spec.owners, spec.key


def test_curated_tables_share_one_writer_and_follow_their_inputs():
    graph = defs.resolve_asset_graph()
    for name, contract in TABLES.items():
        key = dg.AssetKey(["curated", name])
        parents = {parent.to_user_string() for parent in graph.get(key).parent_keys}
        feed = {f"raw/csv/{contract.csv_feed.name}"} if contract.csv_feed else set()
        assert parents == {f"raw/database/{name}"} | feed
        assert graph.get(key).pools == {"lake_writer"}


def test_every_sensor_runs_by_itself_and_often():
    ticks = {}
    for sensor in defs.get_repository_def().sensor_defs:
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name
        assert sensor.description, sensor.name
        ticks[sensor.name] = sensor.minimum_interval_seconds or 0

    assert all(0 < seconds <= 30 for seconds in ticks.values())
    assert all(ticks[name] <= 5 for name in ("raw_arrivals", "csv_arrivals", "curate_news"))
