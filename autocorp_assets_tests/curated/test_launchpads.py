"""What an operator launches in the UI: through GraphQL, with the config that the Launchpad begins with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster_graphql.test.utils import (
    define_out_of_process_context,
    execute_dagster_graphql,
    execute_dagster_graphql_and_finish_runs,
    infer_job_selector,
)

from autocorp_assets.contracts import TABLES
from autocorp_assets.curated.requests import CURATE
from autocorp_assets_tests.curated.conftest import PARTS, TEST_HOME, Platform, load

LOCATION = str(Path(__file__).with_name("launchpad_location.py"))
LAUNCHPAD = """
query ($selector: PipelineSelector!) {
  pipelineOrError(params: $selector) { ... on Pipeline { description presets { runConfigYaml } } }
}
"""
LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""


class Ui:
    """Dagster's webserver without its pages."""

    def __init__(self, context, instance: dg.DagsterInstance) -> None:
        self.context = context
        self.instance = instance

    def launchpad(self, job: str) -> tuple[str, dict]:
        """The job's description, and the config that its Launchpad begins with."""
        variables = {"selector": infer_job_selector(self.context, job)}
        found = execute_dagster_graphql(self.context, LAUNCHPAD, variables).data["pipelineOrError"]
        [preset] = found["presets"]
        return found["description"], yaml.safe_load(preset["runConfigYaml"])

    def launch(self, job: str, config: dict) -> dg.DagsterRun:
        selector = infer_job_selector(self.context, job)
        params = {"selector": selector, "runConfigData": yaml.safe_dump(config), "mode": "default"}
        answer = execute_dagster_graphql_and_finish_runs(self.context, LAUNCH, {"params": params})
        run = self.instance.get_run_by_id(answer.data["launchPipelineExecution"]["run"]["runId"])
        assert run is not None
        return run

    def materialised(self, run: dg.DagsterRun) -> dict[str, int]:
        """Rows applied by table."""
        entries = self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        found = [entry.dagster_event.step_materialization_data.materialization for entry in entries]
        return {one.asset_key.path[-1]: one.metadata["rows_applied"].value for one in found}


@contextmanager
def ui(platform: Platform, monkeypatch) -> Iterator[Ui]:
    monkeypatch.setenv(TEST_HOME, str(platform.lake.parent))
    coordinator = {"module": DefaultRunCoordinator.__module__, "class": DefaultRunCoordinator.__name__}
    with (
        dg.instance_for_test(overrides={"run_coordinator": coordinator}) as instance,
        define_out_of_process_context(LOCATION, "defs", instance) as context,
    ):
        yield Ui(context, instance)


def test_a_table_is_judged_again_from_the_ui(platform: Platform, monkeypatch):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.curate("auto_parts")
    with ui(platform, monkeypatch) as opened:
        description, config = opened.launchpad("replay")
        assert 'since: "2024-11-18"' in description
        config["ops"][CURATE]["config"]["replay"] |= {"tables": ["auto_parts"], "since": "2026-01-01"}
        run = opened.launch("replay", config)

        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert opened.materialised(run) == {"auto_parts": 2}
