import json
from datetime import UTC, datetime

import dagster as dg
import pytest
from typer.testing import CliRunner

from autocorp_assets.automation.completeness import read_record
from autocorp_assets.automation.freshness import heartbeat
from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES
from autocorp_assets.deployments.local import local_resources
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.operations import sync as sync_module
from autocorp_assets.operations.instance import INSTANCE_CONFIG, open_instance, prepare_home
from autocorp_assets.operations.sync import sync
from autocorp_assets.resources.local_transfer import LocalTransfer
from autocorp_assets.resources.ports.replication import CaughtUp, ReplicationError, ReplicationState
from autocorp_assets.settings import PROJECT_FOLDER, Settings
from autocorp_assets_tests.curated.conftest import PARTS, Platform, load


class LoadedOnce:
    """Replication that has the parts in raw, or cannot reach the source."""

    def __init__(self, settings: Settings, *, error: str | None = None) -> None:
        self.settings = settings
        self.error = error

    def state(self) -> ReplicationState:
        return ReplicationState(running=False, should_run=False, summary="stopped")

    def catch_up(self, *, deadline_seconds, on_progress) -> CaughtUp:
        if self.error:
            raise ReplicationError(self.error)
        load(self.settings.lake_folder, TABLES["auto_parts"], PARTS)
        on_progress("auto_parts: 2 rows")
        return CaughtUp(position="0/10", seconds=0.1)


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    return Settings()


@pytest.fixture
def platform(settings, monkeypatch) -> Platform:
    """The platform with a real process in Spark's place, and a source that need not run."""
    platform = Platform(settings.home_folder)

    def resources(_: Settings, *, exports_are_whole: bool) -> dict[str, object]:
        return {
            **local_resources(settings),
            "lake": LakeStorage(settings.lake_folder),
            "transfer": LocalTransfer(settings=settings, settled_seconds=0 if exports_are_whole else 2),
            "replication": LoadedOnce(settings, error=platform.source_error),
            "job_runner": platform.runner,
        }

    monkeypatch.setattr("autocorp_assets.deployments.local.local_resources", resources)
    return platform


def test_one_pass_brings_the_source_into_tables_and_into_the_instance(settings, platform):
    lines: list[str] = []

    report = sync(settings, ["auto_parts"], on_progress=lines.append)

    assert report.ok, report
    assert [(t.table, t.rows_applied, t.commit, t.error) for t in report.tables] == [("auto_parts", 2, "0", None)]
    assert report.checks.passed == 6
    assert "auto_parts: 2 rows" in lines
    assert any(line.startswith("curate: done") for line in lines)
    with open_instance(settings) as instance:
        assert instance.get_latest_materialization_event(dg.AssetKey(["curated", "auto_parts"]))


def test_a_pass_without_news_tells_the_commit_also_where_a_heartbeat_came_last(settings, platform, monkeypatch):
    sync(settings, ["auto_parts"])
    _errors = sync_module._errors

    def beat(*args):
        with open_instance(settings) as instance:
            record = read_record(instance, TABLES["auto_parts"])
            assert record is not None
            now = datetime.now(UTC)
            instance.report_runless_asset_event(heartbeat(TABLES["auto_parts"], record, now))
        return _errors(*args)

    monkeypatch.setattr(sync_module, "_errors", beat)

    [table] = sync(settings, ["auto_parts"]).tables

    assert (table.commit, table.rows_applied, table.error) == ("0", 0, None)


def test_what_is_in_raw_is_curated_though_the_source_is_away(settings, platform):
    sync(settings, ["auto_parts"])
    load(settings.lake_folder, TABLES["service"], [{"serviceid": "S-1", "labor_minutes": 5}])
    platform.source_error = "the source does not answer: start it"

    report = sync(settings, ["service"])

    assert not report.ok
    assert report.tables[0].rows_applied == 1
    assert report.tables[0].error == "the source does not answer: start it"


def test_a_failing_warning_is_no_failure_and_a_failing_error_is(settings, platform):
    platform.behaviour = {"auto_parts": "broken_row"}

    failed = sync(settings, ["auto_parts"])

    assert not failed.ok
    assert failed.checks.failed == 1
    assert failed.failed_checks[0].startswith("curated/auto_parts: rules: price: at least 0 (2)")
    assert len(failed.warned_checks) == failed.checks.warned


def test_json_has_the_documented_form_and_the_exit_code_tells_of_failures(settings, platform):
    platform.behaviour = {"auto_parts": "bad"}

    result = CliRunner().invoke(app, ["sync", "--table", "auto_parts", "--json"])

    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report.keys() == {"ok", "tables", "checks", "seconds"}
    counts = {"rows_applied", "rows_upserted", "rows_deleted", "rows_quarantined"}
    assert report["tables"][0].keys() == {"table", "commit", "error"} | counts
    assert report["checks"].keys() == {"passed", "failed", "warned"}
    assert "column price is text" in report["tables"][0]["error"]
    assert "column price is text" in result.stderr


def test_an_unknown_table_is_named_with_those_there_are(settings):
    result = CliRunner().invoke(app, ["sync", "--table", "orders"])

    assert result.exit_code == 1
    assert "no table orders; there are auto_parts" in result.stderr


def test_the_instance_follows_the_projects_configuration(settings):
    home = prepare_home(settings)
    (home / INSTANCE_CONFIG).write_text("telemetry: {enabled: true}")

    prepare_home(settings)

    assert (home / INSTANCE_CONFIG).read_text() == (PROJECT_FOLDER / INSTANCE_CONFIG).read_text()
    with open_instance(settings) as instance:
        assert not instance.telemetry_enabled


def test_a_reload_is_a_pass_that_names_what_was_written_and_what_could_not_be_loaded(settings, platform, monkeypatch):
    """Here the running platform takes in the load before the pass's own run does."""
    load(settings.lake_folder, TABLES["service"], [{"serviceid": "S-1"}])
    load(settings.lake_folder, TABLES["auto_parts"], PARTS)

    def reload(self, tables, **_) -> dict[str, str]:
        assert tables == ["auto_parts", "service"]
        with open_instance(settings) as platform.instance:
            assert platform.curate("auto_parts").success
        return {"service": "the source has no table public.service"}

    monkeypatch.setattr(LoadedOnce, "reload", reload, raising=False)

    result = CliRunner().invoke(app, ["reload", "auto_parts", "service", "--json"])

    assert result.exit_code == 1
    tables = {table["table"]: table for table in json.loads(result.stdout)["tables"]}
    parts = tables["auto_parts"]
    assert (parts["rows_applied"], parts["rows_upserted"], parts["rows_deleted"], parts["error"]) == (2, 2, 0, None)
    assert tables["service"]["error"] == "the source has no table public.service"
    assert "error: service: the source has no table public.service" in result.stderr


def test_a_reload_of_an_unknown_table_lists_those_there_are(settings):
    result = CliRunner().invoke(app, ["reload", "orders"])

    assert result.exit_code == 1
    assert "no table orders; there are auto_parts" in result.stderr
