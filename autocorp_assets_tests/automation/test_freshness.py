"""A quiet source is not stale, a silent pipe is: hours of looks, one every half minute, on a simulated clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.loader import LoadingContextForTest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    TickData,
    TickStatus,
)
from dagster._core.test_utils import freeze_time

from autocorp_assets.asset_keys import curated_key, raw_feed_key, raw_table_key
from autocorp_assets.automation.completeness import raw_looked_at, read_record
from autocorp_assets.automation.freshness import NOTHING_HAPPENED, freshness_sensor, look, messages, report_heartbeat
from autocorp_assets.automation.pace import AWS, LOCAL, Pace
from autocorp_assets.automation.staleness import Memory
from autocorp_assets.automation.up_to_date import Moment, changed_verdicts, check_key, up_to_date_checks
from autocorp_assets.checks.results import last_evaluations, report_result
from autocorp_assets.contracts import TABLES
from autocorp_assets.curated.specs import curated_spec
from autocorp_assets.resources.log_alerts import LogAlerts
from autocorp_assets.resources.ports.replication import ReplicationError, ReplicationState

PARTS, CUSTOMERS = TABLES["auto_parts"], TABLES["customers"]
UI = "http://ui.example"
FOLLOWING = ReplicationState(running=True, should_run=True, summary="streaming", silent_seconds=1, is_following=True)
DOWN = ReplicationState(running=False, should_run=True, summary="failed, 12 changes written; no disk")
STANDING: dict[str, Any] = {
    "commit": "20260101",
    "dagster/row_count": 400,
    "bytes": 9,
    "data_files": 1,
    "path": "/lake",
}
STALE, OVER = "out of date", "Over: "
RULES = dg.AssetCheckKey(curated_key("auto_parts"), "rules")


@dg.asset(key=RULES.asset_key, check_specs=[dg.AssetCheckSpec("rules", asset=RULES.asset_key)])
def with_finding() -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    yield dg.MaterializeResult(metadata=STANDING)
    yield dg.AssetCheckResult(check_name="rules", passed=False, metadata={"rows_failing": 2})


class World:
    """A platform of two tables whose sensor looks every half minute of simulated time."""

    def __init__(self, *, pace: Pace = LOCAL) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.now = datetime.now(UTC)
        self.pace = pace
        self.state = FOLLOWING
        self.silent_since: datetime | None = None
        self.raw_is_looked_at = True
        self.looked_at: datetime | None = None
        self.memory = Memory()
        self.sent: list[tuple[str, str]] = []
        self.beats: list[dg.AssetMaterialization] = []
        self.told = ""

    def report(self, key: dg.AssetKey, **metadata: Any) -> None:
        event = dg.AssetMaterialization(key, metadata=metadata, tags={"dagster/data_version": "7"})
        with freeze_time(self.now):
            self.instance.report_runless_asset_event(event)

    def curate(self, *tables: str, **metadata: Any) -> None:
        """As a run does that began this very moment."""
        for table in tables or ("auto_parts", "customers"):
            self.report(curated_key(table), **STANDING, rows_read=5, rows_applied=5, **metadata)

    def fill(self) -> World:
        """Both tables are there, and were watched for long."""
        for contract in (PARTS, CUSTOMERS):
            self.report(raw_table_key(contract.name))
        self.now += timedelta(seconds=1)
        self.curate()
        watching = replace(self.memory, looked_at=self.now, watching_since=self.now - timedelta(hours=1))
        self.memory = watching
        return self.wait(minutes=9)

    def wait(self, *, minutes: float) -> World:
        for _ in range(round(minutes * 60 / self.pace.freshness_seconds)):
            self.now += timedelta(seconds=self.pace.freshness_seconds)
            self.look()
        return self

    def look(self) -> None:
        state = self.state
        if self.silent_since:
            asking = self.now.timestamp() % 97 / 50  # takes a moment, and the clock goes on
            state = replace(state, silent_seconds=(self.now - self.silent_since).total_seconds() + asking)
        memory = Memory.from_json(self.memory.to_json())  # as the cursor does
        if self.raw_is_looked_at:
            self.looked_at = self.now - timedelta(seconds=3)
        tables = (PARTS, CUSTOMERS)
        found = look(self.instance, tables, state, memory, pace=self.pace, now=self.now, looked_at=self.looked_at)
        self.sent += messages(self.instance, found, state, ui_url=UI, now=self.now)
        with freeze_time(self.now):
            for beat in found.heartbeats.values():
                report_heartbeat(self.instance, beat, [RULES, check_key("auto_parts")])
            moment = Moment(now=self.now, state=state, looked_at=None, ui_url=UI)
            for shown in changed_verdicts(self.instance, found.standings, found.records, moment):
                report_result(self.instance, shown)
        self.beats += found.heartbeats.values()
        self.memory, self.told = found.decision.memory, found.told(self.now)

    def shown_age(self, table: str = "auto_parts") -> float:
        """Minutes since the last materialisation: what Dagster's freshness policy goes by."""
        record = read_record(self.instance, TABLES[table])
        assert record is not None
        return (self.now - record.at).total_seconds() / 60

    def subjects(self) -> list[str]:
        return [subject for subject, _ in self.sent]


@pytest.fixture(autouse=True)
def records_are_read_once_between_two_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """They say the same until the next, and most of the thousands of looks come between two events."""

    def once(read: Callable[[dg.DagsterInstance, Any], Any]) -> Callable[[dg.DagsterInstance, Any], Any]:
        kept: dict[tuple[int, str], tuple[int | None, Any]] = {}

        def known(instance: dg.DagsterInstance, asked: Any) -> Any:
            newest, name = instance.event_log_storage.get_maximum_record_id(), (id(instance), repr(asked))
            if name not in kept or kept[name][0] != newest:
                kept[name] = newest, read(instance, asked)
            return kept[name][1]

        return known

    monkeypatch.setattr("autocorp_assets.automation.freshness.read_record", once(read_record))
    monkeypatch.setattr("autocorp_assets.automation.up_to_date.last_evaluations", once(last_evaluations))


@pytest.fixture
def world() -> World:
    return World().fill()


def test_a_quiet_source_stays_fresh_for_hours_and_no_table_comes_near_the_warning(world):
    for _ in range(36):
        world.wait(minutes=5)
        assert world.shown_age() < 9

    assert world.sent == []
    assert len(world.beats) <= 2 * (3.6 * 60 / 6)


def test_a_heartbeat_is_the_table_as_it_was_and_no_row_of_a_run(world):
    beat = world.beats[-1]

    assert beat.description == NOTHING_HAPPENED
    assert set(beat.metadata) == {*STANDING, "complete_until"}
    assert beat.metadata["dagster/row_count"].value == 400
    assert beat.tags is not None
    assert beat.tags["dagster/data_version"] == "7"
    assert beat.metadata["complete_until"].value == pytest.approx(world.now.timestamp(), abs=9 * 60)


def test_a_table_that_changes_all_the_time_needs_no_heartbeat(world):
    world.beats.clear()
    for _ in range(30):
        world.report(raw_table_key("auto_parts"))
        world.wait(minutes=0.5)
        world.curate("auto_parts")
        world.wait(minutes=0.5)

    assert {beat.asset_key for beat in world.beats} == {curated_key("customers")}


def test_a_finding_stays_in_sight_with_heartbeats_and_is_stored_once_more_and_not_with_each(world):
    with freeze_time(world.now):
        dg.materialize([with_finding], instance=world.instance)
    world.wait(minutes=9)
    world.beats.clear()
    first = read_record(world.instance, PARTS)
    assert first is not None
    world.wait(minutes=25)

    assert first is not None
    assert len([beat for beat in world.beats if beat.asset_key == RULES.asset_key]) == 3
    ours, again = world.instance.event_log_storage.get_asset_check_execution_history(RULES, limit=10)[::-1]
    assert (ours.evaluation.passed, again.evaluation.passed) == (False, False)
    assert again.evaluation.metadata["rows_failing"].value == 2
    assert again.evaluation.target_materialization_data.storage_id == first.storage_id
    assert asyncio.run(again.targets_latest_materialization(LoadingContextForTest(world.instance)))


def test_what_nobody_looks_at_is_not_known_to_be_quiet(world):
    world.raw_is_looked_at = False
    world.wait(minutes=17)
    _, told = world.sent[0]
    world.raw_is_looked_at = True
    world.wait(minutes=1)

    assert [subject.startswith(OVER) for subject in world.subjects()] == [False, True]
    assert "sensor `raw_arrivals` is off or fails" in told
    assert "replication" not in told.lower()
    assert world.shown_age() < 2


def test_a_look_at_raw_counts_by_its_last_tick_that_did_not_fail():
    location = GrpcServerCodeLocationOrigin(host="127.0.0.1", port=1)  # ty: ignore[abstract-class-instantiation]
    origin = RemoteInstigatorOrigin(
        repository_origin=RemoteRepositoryOrigin(location, "__repository__"), instigator_name="raw_arrivals"
    )
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE)
    with dg.instance_for_test() as instance:
        before = raw_looked_at(instance)
        instance.add_instigator_state(state)
        unticked = raw_looked_at(instance)
        for at, status in ((10.0, TickStatus.SKIPPED), (20.0, TickStatus.SKIPPED), (30.0, TickStatus.STARTED)):
            data = TickData(
                instigator_origin_id=state.instigator_origin_id,
                instigator_name="raw_arrivals",
                instigator_type=InstigatorType.SENSOR,
                status=status,
                timestamp=at,
                selector_id=state.selector_id,
                run_ids=[],
            )
            instance.create_tick(data)

        assert (before, unticked) == (None, None)
        assert raw_looked_at(instance) == datetime.fromtimestamp(20, UTC)


def test_before_anything_exists_nothing_is_reported_and_nobody_is_told():
    world = World().wait(minutes=40)
    world.state = DOWN
    world.wait(minutes=40)

    assert (world.beats, world.sent) == ([], [])
    assert world.told == "no table has been materialised yet"


@pytest.mark.parametrize("stops", ["dies", "hangs"])
def test_a_replicator_that_stops_is_told_once_fifteen_minutes_later_and_once_when_it_is_over(world, stops):
    stopped_at = world.now
    if stops == "dies":
        world.state = DOWN
    else:
        world.silent_since = world.now
    world.wait(minutes=2)
    last_beats = len(world.beats)
    world.wait(minutes=7.5)
    assert world.sent == []
    assert 8 <= world.shown_age() <= 9.5, "it counts from the stop: yellow at ten, red at fifteen, as the alert is told"
    world.wait(minutes=6)

    [(subject, text)] = world.sent
    assert subject == "AutoCorp: 2 tables are out of date"
    assert "auto_parts: not known to be complete since" in text
    assert f"{stopped_at:%H:%M}" in text or f"{stopped_at - timedelta(seconds=10):%H:%M}" in text
    assert ("autocorp dev" if stops == "dies" else "hangs: end it and start it again") in text
    assert f"{UI}/assets" in text
    assert len(world.beats) == last_beats, "a silent pipe has no heartbeat"
    assert world.shown_age() > 13

    world.wait(minutes=120)
    assert world.subjects() == [subject]
    assert "auto_parts 2 h 15 min, customers 2 h 15 min" in world.told

    world.state, world.silent_since = FOLLOWING, None
    world.wait(minutes=1)
    [_, (over, text)] = world.sent
    assert over == "Over: AutoCorp: 2 tables are out of date"
    assert "for 2 h 15 min" in text or "for 2 h 16 min" in text
    assert world.shown_age() < 1
    world.wait(minutes=60)
    assert len(world.sent) == 2


def test_what_replication_says_of_its_trouble_is_the_cause_in_the_alert(world):
    world.state = replace(DOWN, remedy="give it more storage")
    world.wait(minutes=20)

    assert "replication does not run (failed, 12 changes written; no disk). give it more storage." in world.sent[0][1]


def test_a_source_that_is_away_is_a_silent_pipe_though_the_replicator_lives(world):
    world.state = replace(FOLLOWING, is_following=False, summary="reconnecting; connection refused")
    world.wait(minutes=20)

    assert len(world.sent) == 1
    assert "does not follow the source (reconnecting; connection refused)" in world.sent[0][1]


def test_an_export_that_arrives_during_an_outage_hides_nothing(world):
    world.state = DOWN
    for _ in range(4):
        world.wait(minutes=4)
        world.report(raw_feed_key("customers"))
        world.now += timedelta(seconds=1)
        world.curate("customers")
    world.wait(minutes=1)

    [(subject, text)] = world.sent
    assert subject == "AutoCorp: 2 tables are out of date"
    assert "- customers: not known" in text


def test_files_that_no_run_takes_in_are_told_with_what_to_press(world):
    world.report(raw_table_key("auto_parts"))
    world.wait(minutes=16)

    [(subject, text)] = world.sent
    assert subject == "AutoCorp: 1 table is out of date"
    assert "no run has taken them up" in text
    assert "press Materialize on `curated/auto_parts` in the UI, or run `autocorp sync --table auto_parts`" in text
    assert "replication" not in text
    assert world.beats[-1].asset_key == curated_key("customers"), "the other table goes on"

    world.curate("auto_parts")
    world.wait(minutes=1)
    assert world.subjects()[1].startswith(OVER)


def test_runs_that_fail_are_told_with_their_reason_and_page(world):
    world.report(raw_table_key("auto_parts"))
    world.now += timedelta(seconds=1)

    @dg.asset(key=curated_key("auto_parts"))
    def auto_parts() -> None:
        raise dg.Failure("column price is text", allow_retries=False)

    job = dg.define_asset_job("curate_parts", [auto_parts])
    definitions = dg.Definitions([auto_parts], jobs=[job]).resolve_job_def("curate_parts")
    with freeze_time(world.now):
        result = definitions.execute_in_process(
            instance=world.instance, raise_on_error=False, asset_selection=[curated_key("auto_parts")]
        )
    world.sent.clear()
    record = read_record(world.instance, PARTS)
    assert record is not None
    assert record.waiting_since is not None
    # Runs carry the real time: the news are said to be as old.
    from autocorp_assets.automation.causes import late_tables_text

    since = datetime.now(UTC) - timedelta(minutes=6)
    text = late_tables_text(
        world.instance,
        {"auto_parts": replace(record, waiting_since=since)},
        FOLLOWING,
        ui_url=UI,
        now=since + timedelta(minutes=16),
    )

    assert "column price is text" in text
    assert f"{UI}/runs/{result.run_id}" in text
    assert "It is tried again every ten minutes" in text


def test_dms_that_lags_behind_is_stale_though_it_is_in_touch():
    world = World(pace=AWS).fill()
    assert world.sent == []
    late = 20 * 60
    world.state = replace(FOLLOWING, summary="running, lag 1,200 s", silent_seconds=late, lag_seconds=late)
    world.wait(minutes=20)

    [(_, text)] = world.sent
    assert "Replication is 20 minutes behind its source (running, lag 1,200 s)" in text


def test_dms_whose_metric_is_some_minutes_old_keeps_a_quiet_table_green():
    world = World(pace=AWS).fill()
    world.state = replace(FOLLOWING, silent_seconds=200, lag_seconds=20)
    world.beats.clear()
    for _ in range(24):
        world.wait(minutes=5)
        assert world.shown_age() < 9

    assert len(world.beats) <= 2 * 120 / 6


def test_a_table_in_error_is_stale_while_the_others_are_fresh(world):
    world.state = replace(FOLLOWING, tables_in_error=("auto_parts",), summary="running; in error: auto_parts")
    world.wait(minutes=25)

    [(subject, text)] = world.sent
    assert subject == "AutoCorp: 1 table is out of date"
    assert "reload: true" in text


def test_the_sensor_reports_the_heartbeats_of_what_follows_and_says_every_age():
    instance, hour = dg.DagsterInstance.ephemeral(), timedelta(hours=1)
    with freeze_time(datetime.now(UTC) - hour):
        instance.report_runless_asset_event(dg.AssetMaterialization(curated_key("auto_parts"), metadata=STANDING))

    class Following:
        def state(self) -> ReplicationState:
            return FOLLOWING

    with dg.build_sensor_context(
        instance=instance, resources={"replication": Following(), "alerts": LogAlerts()}
    ) as context:
        result = freshness_sensor([PARTS], [RULES], ui_url=UI)(context)

    assert isinstance(result, dg.SensorResult)
    assert result.skip_reason is not None
    assert "auto_parts 6 s" in str(result.skip_reason)
    [beat, _] = instance.fetch_materializations(curated_key("auto_parts"), limit=9).records
    assert beat.asset_materialization is not None
    assert beat.asset_materialization.description == NOTHING_HAPPENED
    assert Memory.from_json(result.cursor).heard_until is not None


def test_replication_that_cannot_be_asked_is_silent():
    class Refusing:
        def state(self) -> ReplicationState:
            raise ReplicationError("the credentials have expired: renew them")

    sent: list[str] = []

    class Told:
        def send(self, *, subject: str, text: str) -> None:
            sent.append(text)

    world = World().fill()
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    old = Memory(looked_at=datetime.now(UTC) - timedelta(seconds=30), watching_since=long_ago)
    instance = dg.DagsterInstance.ephemeral()
    with freeze_time(long_ago):
        instance.report_runless_asset_event(dg.AssetMaterialization(curated_key("auto_parts"), metadata=STANDING))
    resources = {"replication": Refusing(), "alerts": Told()}
    with dg.build_sensor_context(instance=instance, resources=resources, cursor=old.to_json()) as context:
        result = freshness_sensor([PARTS], [RULES], ui_url=UI)(context)

    assert world.sent == []
    assert isinstance(result, dg.SensorResult)
    assert len(instance.fetch_materializations(curated_key("auto_parts"), limit=9).records) == 1
    assert len(sent) == 1
    assert "the credentials have expired: renew them" in sent[0]


def test_a_platform_that_was_off_gets_time_to_catch_up(world):
    world.now += timedelta(hours=8)
    world.wait(minutes=2)
    assert world.sent == []
    world.state = DOWN
    world.now += timedelta(hours=8)
    world.wait(minutes=14)
    assert world.sent == []

    world.wait(minutes=2)
    assert len(world.sent) == 1


def test_a_restart_in_the_middle_of_an_outage_repeats_nothing(world):
    world.state = DOWN
    world.wait(minutes=20)
    for away in (timedelta(seconds=40), timedelta(hours=3)):
        world.now += away
        world.wait(minutes=40)
    assert len(world.sent) == 1

    world.state = FOLLOWING
    world.wait(minutes=2)
    assert [subject.startswith(OVER) for subject in world.subjects()] == [False, True]


def test_what_was_stopped_on_purpose_is_no_alert(world):
    world.state = replace(DOWN, should_run=False, summary="stopped")
    world.wait(minutes=60)

    assert world.sent == []
    assert "auto_parts 60 min" in world.told


def test_tables_that_join_are_told_once(world):
    world.report(raw_table_key("auto_parts"))
    world.wait(minutes=16)
    world.report(raw_table_key("customers"))
    world.wait(minutes=60)

    assert world.subjects() == ["AutoCorp: 1 table is out of date", "AutoCorp: 1 more table is out of date"]


def test_a_run_that_looked_and_found_nothing_has_taken_in_the_news_without_being_fresh(world):
    """As after an outage: a file was reported after a run had taken it in, and the next run found nothing pending."""
    world.report(raw_table_key("auto_parts"))
    world.now += timedelta(seconds=5)
    with freeze_time(world.now):
        world.instance.report_runless_asset_event(dg.AssetObservation(curated_key("auto_parts")))
    world.wait(minutes=16)

    assert world.sent == []
    assert world.shown_age() < 9


def test_replication_that_works_off_a_backlog_has_no_heartbeat_and_says_so(world):
    for _ in range(40):
        world.report(raw_table_key("auto_parts"))
        world.now += timedelta(seconds=1)
        world.curate("auto_parts", lag_seconds=3600.0)
        world.wait(minutes=0.5)

    assert len(world.sent) == 1
    assert "Replication works off a backlog" in world.sent[0][1]


def test_what_one_look_said_is_in_one_line(world):
    world.wait(minutes=1)

    assert world.told.startswith("behind the source by at most: auto_parts ")
    assert "\n" not in world.told


def test_curated_tables_have_the_policy_of_their_service_level():
    spec = curated_spec(PARTS, condition=dg.AutomationCondition.eager())

    policy = spec.freshness_policy
    assert isinstance(policy, dg.FreshnessPolicy)
    assert policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(minutes=PARTS.service_level.fail_minutes),
        warn_window=timedelta(minutes=PARTS.service_level.warn_minutes),
    )


def test_a_table_turns_yellow_then_red_then_green_and_says_why_and_what_to_do(world):
    def shown() -> tuple[bool, dg.AssetCheckSeverity, str]:
        [last] = last_evaluations(world.instance, [check_key("auto_parts")]).values()
        return last.evaluation.passed, last.evaluation.severity, str(last.evaluation.description)

    assert shown()[0]
    world.state, world.silent_since = replace(FOLLOWING), world.now
    world.wait(minutes=9)
    assert shown()[0]
    world.wait(minutes=2)
    assert shown()[:2] == (False, dg.AssetCheckSeverity.WARN)
    world.wait(minutes=5)
    passed, severity, told = shown()
    assert (passed, severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "allowed are 15 min. Nothing arrives: replication has not said a word since" in told
    assert "What does it hangs: end it" in told
    world.silent_since = None
    world.wait(minutes=1)
    assert shown()[0]

    storage = world.instance.event_log_storage
    told = storage.get_asset_check_execution_history(check_key("auto_parts"), limit=20)
    assert len(told) == 4, "only changes are stored"


def test_the_check_can_be_executed_and_a_table_that_is_not_there_is_not_late():
    class Following:
        def state(self) -> ReplicationState:
            return FOLLOWING

    checks = up_to_date_checks({"auto_parts": PARTS}, ui_url=UI, condition=dg.AutomationCondition.on_cron("@hourly"))
    job = dg.define_asset_job("alone", selection=dg.AssetSelection.checks(*checks))
    defs = dg.Definitions(
        assets=[dg.AssetSpec(curated_key("auto_parts"))],
        asset_checks=checks,
        jobs=[job],
        resources={"replication": Following()},
    )
    instance = dg.DagsterInstance.ephemeral()

    def result() -> dg.AssetCheckEvaluation:
        run = defs.resolve_job_def("alone").execute_in_process(instance=instance)
        [evaluation] = run.get_asset_check_evaluations()
        return evaluation

    assert (result().passed, result().description) == (True, "The table does not exist yet.")
    instance.report_runless_asset_event(dg.AssetMaterialization(curated_key("auto_parts"), metadata=STANDING))
    assert result().passed
    assert str(result().description).startswith("Behind its source by")
