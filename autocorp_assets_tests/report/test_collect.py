"""The report reads a real lake and a real instance: materialisations, evaluations and failures of real runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from autocorp_assets.asset_keys import curated_key, raw_table_key
from autocorp_assets.automation.completeness import COMPLETE_UNTIL
from autocorp_assets.contracts import TABLES
from autocorp_assets.definitions import defs
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.operations.checks_reference import described_checks
from autocorp_assets.report import records
from autocorp_assets.report.collect import Collector, TableRun, rows_of_period, schema_changes
from autocorp_assets.report.model import Report, SchemaChange, State, TableReport
from autocorp_assets.report.page import render
from autocorp_assets.report.verdict import judge
from autocorp_assets.resources.ports.replication import ReplicationState
from autocorp_assets_tests.curated.conftest import PARTS, Platform, load
from autocorp_assets_tests.lake.ledger_writer import BEGAN, LedgerWriter

CHECKS = described_checks(defs)
FOLLOWING = ReplicationState(running=True, should_run=True, summary="streaming", silent_seconds=1, is_following=True)
LOAD = "raw/database/auto_parts/LOAD00000001.parquet"


@pytest.fixture
def platform(tmp_path) -> Platform:
    """Whose auto_parts took in a load of two rows."""
    platform = Platform(tmp_path)
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.curate("auto_parts")
    return platform


def read(platform: Platform, **changes) -> Report:
    ordinary: dict[str, Any] = {
        "lake": LakeStorage(platform.lake),
        "instance": platform.instance,
        "replication": FOLLOWING,
        "checks": CHECKS,
        "now": datetime.now(UTC),
        "days": 14,
        "deployment": "local",
    }
    return Collector(**{**ordinary, **changes}).collect()


def of(report: Report, name: str = "auto_parts") -> TableReport:
    return next(table for table in report.tables if table.table == name)


def evaluate(platform: Platform, name: str, **result) -> None:
    ordinary: dict[str, Any] = {"passed": True, "metadata": {}}
    key = curated_key("auto_parts")
    evaluation = dg.AssetCheckEvaluation(asset_key=key, check_name=name, **{**ordinary, **result})
    platform.instance.report_runless_asset_event(evaluation)


def test_rows_runs_and_freshness_of_a_table(platform):
    table = of(read(platform))

    assert (table.exists, table.rows, table.problem) == (True, 2, "")
    assert (table.taken_in.runs, table.taken_in.read, table.taken_in.applied) == (1, 2, 2)
    assert table.taken_in.days[-1].read + table.taken_in.days[-2].read == 2
    assert table.freshness.state is State.GOOD
    assert table.freshness.last_run_at is not None
    assert of(read(platform), "service").exists is False


def beat(platform: Platform, at: datetime, until: datetime) -> None:
    with freeze_time(at):
        platform.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                curated_key("auto_parts"), metadata={COMPLETE_UNTIL: dg.MetadataValue.timestamp(until), "bytes": 9}
            )
        )


def test_heartbeats_tell_how_fresh_a_quiet_table_is_and_are_no_runs(platform):
    before = of(read(platform))
    stopped = ReplicationState(running=False, should_run=True, summary="failed")
    now = datetime.now(UTC)
    for minutes in range(6, 60, 6):
        at = now + timedelta(minutes=minutes)
        beat(platform, at, at - timedelta(seconds=10))

    later = read(platform, replication=stopped, now=now + timedelta(minutes=60), runs_read=5)
    found = of(later)

    assert found.freshness.age_seconds == pytest.approx(6 * 60 + 10, abs=1)
    assert found.freshness.state is State.GOOD
    assert found.freshness.last_run_at == before.freshness.last_run_at
    assert (found.taken_in.runs, found.taken_in.counted_since) == (1, None)


def test_what_arrived_and_waits_counts_from_when_it_was_written(platform):
    load(platform.lake, TABLES["service"], [{"serviceid": "S-1"}])
    late = datetime.now(UTC) + timedelta(minutes=20)

    found = of(read(platform, now=late), "service").freshness

    assert (found.state, found.pending_files, found.why) == (State.ERROR, 1, "1 raw file not taken in yet")
    assert found.pending_since is not None


def test_raw_tells_how_far_the_source_is_known_when_nothing_replicates(platform):
    stopped = ReplicationState(running=False, should_run=False, summary="stopped")
    platform.instance.report_runless_asset_event(dg.AssetMaterialization(raw_table_key("auto_parts")))

    found = of(read(platform, replication=stopped, now=datetime.now(UTC) + timedelta(minutes=12)))

    assert found.freshness.state is State.WARNING
    assert found.freshness.why == "replication does not run (stopped)"


def test_checks_come_with_their_meaning_and_what_they_last_came_to(platform):
    evaluate(platform, "unique_keys", passed=False, severity=dg.AssetCheckSeverity.WARN, description="1 value repeats")
    evaluate(platform, "catalog")
    checks = {(check.asset, check.name): check for check in of(read(platform)).checks}

    of_table = {check.name for check in CHECKS if check.table == "auto_parts"}
    assert {name for _, name in checks} == of_table - {"up_to_date", "lag"}, "how fresh it is, is said elsewhere"
    assert checks[("curated/auto_parts", "rules")].state is State.GOOD
    assert checks[("curated/auto_parts", "rules")].told == "2 rows keep every rule"
    unique = checks[("curated/auto_parts", "unique_keys")]
    assert (unique.state, unique.told, unique.title) == (
        State.WARNING,
        "1 value repeats",
        "Every record is stored once",
    )
    assert checks[("raw/database/auto_parts", "schema")].state is State.UNKNOWN
    assert checks[("curated/auto_parts", "catalog")].state is State.GOOD


def test_a_good_result_of_an_hourly_check_does_not_count_for_ever(platform):
    evaluate(platform, "catalog")
    evaluate(platform, "unique_keys", passed=False, severity=dg.AssetCheckSeverity.ERROR)
    tomorrow = datetime.now(UTC) + timedelta(hours=25)
    states = {c.name: c.state for c in of(read(platform, now=tomorrow)).checks if c.asset.startswith("curated/")}

    assert (states["catalog"], states["unique_keys"]) == (State.UNKNOWN, State.ERROR)
    assert states["rules"] is State.GOOD, "it is judged with each change, and nothing has changed"


def test_the_last_reconciliation_with_its_figures(platform):
    assert of(read(platform)).reconciliation is None
    figures = {"rows_source": 3, "rows_lake": 2, "differences": 1}
    result = {"passed": False, "severity": dg.AssetCheckSeverity.ERROR, "description": "3 rows, 2: 1 missing"}
    evaluate(platform, "reconciliation", **result, metadata=figures)

    found = of(read(platform)).reconciliation

    assert found is not None
    assert (found.state, found.rows_source, found.rows_lake, found.differences) == (State.ERROR, 3, 2, 1)


def test_quarantine_by_reason_with_the_days_on_which_it_came(platform):
    ledger = LedgerWriter(platform.lake)
    first = {"file": LOAD, "position": 0, "reasons": ["price: at least 0"], "row": json.dumps({"name": "ada@x.org"})}
    second = {**first, "position": 1, "reasons": ["price: at least 0", "name: required"]}
    ledger.quarantine("db-0", first, second, revision=0)
    ledger.quarantine("db-1", second, revision=1)

    report = read(platform, now=BEGAN + timedelta(days=1), days=3)
    found = of(report).quarantine

    assert found.rows == 1
    assert [(reason.reason, reason.rows, reason.by_day) for reason in found.reasons] == [
        ("name: required", 1, (0, 1, 0)),
        ("price: at least 0", 1, (0, 2, 0)),
    ]
    assert "ada@x.org" not in render(report)


def test_a_failure_counts_until_a_run_was_good(platform):
    load(platform.lake, TABLES["service"], [{"serviceid": "S-1"}])
    platform.behaviour = {"service": "bad"}
    platform.curate("service", "auto_parts")
    report = read(platform)

    failure = of(report, "service").failure
    assert failure is not None
    assert "column price is text" in failure.reason
    assert of(report).failure is None
    assert any(issue.what == "The last run could not bring it up to date" for issue in judge(report).issues)

    platform.behaviour = {}
    platform.curate("service", "auto_parts")
    assert of(read(platform), "service").failure is None


def test_a_run_that_was_failed_from_outside_is_told_of_by_what_was_said_then(platform):
    load(platform.lake, TABLES["service"], [{"serviceid": "S-1"}])
    job = defs.resolve_implicit_global_asset_job_def()
    run = platform.instance.create_run_for_job(job, asset_selection=frozenset({curated_key("service")}))
    platform.instance.report_run_failed(run, "the code server did not answer")

    failure = of(read(platform), "service").failure

    assert failure is not None
    assert (failure.run_id, failure.reason) == (run.run_id, "the code server did not answer")


def test_only_so_many_runs_are_read_and_the_report_says_so(platform, monkeypatch):
    monkeypatch.setattr(records, "PAGE", 2)
    for _ in range(5):
        event = dg.AssetMaterialization(curated_key("auto_parts"), metadata={"rows_read": 1, "rows_applied": 1})
        platform.instance.report_runless_asset_event(event)

    found = of(read(platform, runs_read=3)).taken_in

    assert (found.runs, found.read) == (3, 3)
    assert found.counted_since is not None


def test_runs_before_the_period_do_not_count(platform):
    found = of(read(platform, now=datetime.now(UTC) + timedelta(days=20))).taken_in

    assert (found.runs, found.read) == (0, 0)


def test_columns_that_changed_since_the_period_began(platform):
    agreed = {"sku": "string", "price": "decimal(10,2)"}
    seen = datetime(2026, 1, 2, tzinfo=UTC)
    before, now = {**agreed, "old": "int", "n": "int"}, {**agreed, "n": "bigint", "loyalty": "int"}

    found = schema_changes(before, now, agreed={**agreed, "n": "bigint"}, reported={"loyalty": seen})

    assert found == (
        SchemaChange(column="n", what="retyped", before="int", after="bigint", is_named=True, first_seen=None),
        SchemaChange(column="loyalty", what="added", before="", after="int", is_named=False, first_seen=seen),
        SchemaChange(column="old", what="gone", before="int", after="", is_named=False, first_seen=None),
    )
    assert of(read(platform)).schema_changes == (), "a table that is younger than the period is as its contract says"


def test_rows_are_added_up_by_day():
    day = datetime(2026, 1, 2, 3, tzinfo=UTC)
    runs = [
        TableRun(at=day + timedelta(days=1), metadata={"rows_read": 5, "rows_applied": 4, "rows_quarantined": 1}),
        TableRun(at=day + timedelta(hours=1), metadata={"rows_read": 0}),
        TableRun(at=day, metadata={"rows_read": 2, "rows_applied": 2, "lag_seconds": 3.5}),
    ]

    found = rows_of_period(runs, [day.date(), day.date() + timedelta(days=1)], is_cut=False)

    assert [(one.read, one.applied, one.quarantined) for one in found.days] == [(2, 2, 0), (5, 4, 1)]
    assert (found.runs, found.read, found.quarantined, found.counted_since) == (2, 7, 1, None)
    assert runs[2].newest_change == day - timedelta(seconds=3.5)


def test_a_table_that_cannot_be_read_does_not_spoil_the_report(platform):
    (platform.lake / "raw/database/_load/000001.json").write_text("{cut off")

    report = read(platform)

    assert "restore it, or load the table anew" in of(report).problem
    assert "The table cannot be read" in render(report)
