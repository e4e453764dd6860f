"""What an operator launches in the UI: through GraphQL, with the config that the Launchpad begins with."""

from collections.abc import Generator
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

    def data_versions(self, run: dg.DagsterRun) -> dict[str, str | None]:
        """Of the tables that the run materialised."""
        events = [entry.dagster_event for entry in self.instance.all_logs(run.run_id)]
        found = [event.materialization for event in events if event and event.is_step_materialization]
        return {one.asset_key.path[-1]: (one.tags or {}).get("dagster/data_version") for one in found}


@contextmanager
def ui(platform: Platform, monkeypatch) -> Generator[Ui]:
    monkeypatch.setenv(TEST_HOME, str(platform.lake.parent))
    coordinator = {"module": DefaultRunCoordinator.__module__, "class": DefaultRunCoordinator.__name__}
    with (
        dg.instance_for_test(overrides={"run_coordinator": coordinator}) as instance,
        define_out_of_process_context(LOCATION, "defs", instance) as context,
    ):
        yield Ui(context, instance)


def test_tables_are_judged_again_and_made_anew_from_the_ui(platform: Platform, monkeypatch):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.curate("auto_parts")
    with ui(platform, monkeypatch) as opened:
        for job, asked in {"replay": {"since": "2026-01-01"}, "rebuild": {}}.items():
            description, config = opened.launchpad(job)
            assert 'tables: ["sales_order"]' in description
            config["ops"][CURATE]["config"][job] |= {"tables": ["auto_parts"], **asked}
            run = opened.launch(job, config)

            assert run.status is dg.DagsterRunStatus.SUCCESS
            assert opened.data_versions(run) == {"auto_parts": "0"}
