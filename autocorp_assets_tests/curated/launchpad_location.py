"""A code location over the platform of the tests, for whoever launches its jobs as the UI does."""

import os
from pathlib import Path

import dagster as dg

from autocorp_assets.contracts import TABLES
from autocorp_assets.curated.requests import rebuild_job, replay_job
from autocorp_assets.curated.tables import curated_tables
from autocorp_assets_tests.curated.conftest import TEST_HOME, Platform

defs = dg.Definitions(
    assets=[curated_tables(TABLES, condition=dg.AutomationCondition.eager())],
    jobs=[replay_job(TABLES.values()), rebuild_job(TABLES.values())],
    resources=Platform(Path(os.environ[TEST_HOME])).resources,
    executor=dg.in_process_executor,
)
