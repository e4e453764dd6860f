"""The comparison as Dagster's check and as `autocorp reconcile`, on one lake."""

from __future__ import annotations

import json

import dagster as dg
import pytest
from typer.testing import CliRunner

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.full_reconciliation import FULL_RECONCILIATION, full_reconciliation_checks
from autocorp_assets.checks.reconciliation import RECONCILIATION, reconciliation_checks
from autocorp_assets.cli.main import app
from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.local_replication import LocalReplication
from autocorp_assets.resources.local_source import LocalSource
from autocorp_assets.settings import Settings
from autocorp_assets_tests.reconciliation.platform import Platform, Rows

TABLE = "auto_parts"


def check(settings: Settings, name: str = RECONCILIATION, **config: object) -> dg.AssetCheckEvaluation:
    """Run the check of the table."""
    key = dg.AssetCheckKey(curated_key(TABLE), name)
    checks = {RECONCILIATION: reconciliation_checks, FULL_RECONCILIATION: full_reconciliation_checks}[name]
    job = dg.Definitions(
        assets=[dg.AssetSpec(curated_key(TABLE))],
        asset_checks=checks({TABLE: TABLES[TABLE]}),
        jobs=[dg.define_asset_job("check", selection=dg.AssetSelection.checks(key))],
        resources={
            "lake": LakeStorage(settings.lake_folder),
            "source": LocalSource(settings=settings),
            "replication": LocalReplication(settings=settings),
        },
    ).resolve_job_def("check")
    op = f"{'__'.join(key.asset_key.path)}_{name}"
    result = job.execute_in_process(run_config={"ops": {op: {"config": config}}} if config else None)
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def reconcile(*arguments: str):
    return CliRunner().invoke(app, ["reconcile", *arguments])


def test_a_lost_row_fails_check_and_command_until_it_is_back(platform: Platform):
    lost, *_, last = sorted(platform.rows[TABLE])

    def lose(rows: Rows) -> None:
        del rows[lost]

    platform.curate(TABLE, lose)

    evaluation = check(platform.settings)
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert evaluation.description == "400 rows of the source, 399 of the lake: 1 missing"
    full = check(platform.settings, FULL_RECONCILIATION)
    assert (full.passed, full.severity, full.description) == (
        False,
        dg.AssetCheckSeverity.ERROR,
        evaluation.description,
    )
    assert check(platform.settings, key_from=last).passed
    shown = reconcile(TABLE)
    assert shown.exit_code == 1
    assert f"auto_parts: missing: {lost}\nauto_parts: `autocorp reload auto_parts` mends it" in shown.stdout
    assert reconcile(TABLE, "--from", last).exit_code == 0
    assert reconcile(TABLE, "--full").exit_code == 1

    platform.curate(TABLE)

    assert check(platform.settings).passed
    assert check(platform.settings, FULL_RECONCILIATION).passed
    told = reconcile(TABLE, "--json")
    assert told.exit_code == 0
    (table,) = json.loads(told.stdout)["tables"]
    assert (table["rows_source"], table["rows_lake"], table["differences"], table["sample"]) == (400, 400, 0, [])


def test_a_source_that_is_away_warns_and_a_query_that_takes_too_long_says_what_to_do(platform: Platform, monkeypatch):
    slow = check(platform.settings, statement_seconds=0.001)
    assert (slow.passed, slow.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "compare a range of keys" in (slow.description or "")

    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", "postgresql://reader:secret@127.0.0.1:1/nothing")
    away = check(Settings())
    assert (away.passed, away.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "127.0.0.1" in (away.description or "")
    assert "secret" not in (away.description or "")
    assert reconcile(TABLE).exit_code == 1


def test_the_connection_can_only_read(platform: Platform):
    from autocorp_assets.resources.ports.source import SourceUnavailable

    with (
        pytest.raises(SourceUnavailable, match="read-only"),
        LocalSource(settings=platform.settings).connect(statement_seconds=5) as connection,
    ):
        connection.execute("DELETE FROM auto_parts")


def test_a_data_folder_without_a_source_gets_none_from_a_comparison(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))

    shown = reconcile(TABLE)

    assert shown.exit_code == 1
    assert "there is no source yet: `autocorp sync` makes one" in shown.stderr
    assert not (tmp_path / "source").exists()


def test_what_is_asked_for_wrongly_is_a_usage_error():
    assert reconcile("nothing").exit_code == 2
    shown = reconcile("sales_order", "--from", "x")
    assert (shown.exit_code, "give a whole number" in shown.stderr) == (2, True)
    assert reconcile("sales_order", "--full", "--from", "1").exit_code == 2
