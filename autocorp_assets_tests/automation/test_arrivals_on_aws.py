"""New objects in S3 become materialisations by events, and by a listing where events are lost."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from autocorp_assets.automation import arrivals
from autocorp_assets.automation.arrivals import raw_arrivals_sensor
from autocorp_assets.automation.pace import AWS
from autocorp_assets.automation.transfers import ended_transfers_sensor, transfer_sensor
from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.definitions import definitions
from autocorp_assets.deployments.aws import aws_resources
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.aws.arrival_queue import SqsArrivals
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.datasync_transfer import DatasyncTransfer
from autocorp_assets.resources.ports.transfer import EndedTransfer
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.arrival_events import lose, make_queue, send, take_all, url, waiting
from autocorp_assets_tests.fakes.datasync import make_task
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws
DAY = "2025/11/25"


class Sensor:
    """`raw_arrivals` from tick to tick, at a time that the test sets."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = settings
        self.restart()
        self.cursor: str | None = None
        self.now = 1_000_000.0
        monkeypatch.setattr(arrivals.time, "time", lambda: self.now)

    def tick(self, *, is_stored: bool = True) -> dict[str, object]:
        """New files by table; without `is_stored` the daemon dies before it has kept what the tick said."""
        result = self.sensor(dg.build_sensor_context(cursor=self.cursor))
        assert isinstance(result, dg.SensorResult)
        if is_stored:
            self.cursor = result.cursor
        return {event.asset_key.path[-1]: event.metadata["new_files"].value for event in result.asset_events or ()}

    def restart(self) -> None:
        """A new process, which remembers nothing."""
        events = SqsArrivals(settings=self.settings, wait_seconds=0)
        self.sensor = raw_arrivals_sensor(TABLES, lake=LakeStorage(self.settings.lake), events=events, pace=AWS)


@pytest.fixture
def sensor(aws_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Sensor:
    """One that has listed an empty lake; the test event is gone with it."""
    make_queue()
    sensor = Sensor(aws_settings, monkeypatch)
    assert sensor.tick() == {}
    return sensor


def change(table: str, second: int, day: str = DAY) -> None:
    name = f"{day.replace('/', '')}-0000{second:02d}000.parquet"
    client("s3").put_object(Bucket=LAKE_BUCKET, Key=f"lake/raw/database/{table}/{day}/{name}", Body=b"x")


def load(generation: int, *tables: str) -> None:
    content = {
        "generation": generation,
        "start_sequence": "0" * 35,
        "started_at": "2026-01-01T00:00:00Z",
        "tables": {name: {"rows": 1, "files": ["LOAD00000001.parquet"]} for name in tables},
    }
    key = f"lake/raw/database/_load/{generation:06d}.json"
    client("s3").put_object(Bucket=LAKE_BUCKET, Key=key, Body=json.dumps(content).encode())


def test_an_event_is_reported_and_forgotten_once_that_is_stored(sensor: Sensor):
    change("service", 1)

    assert sensor.tick() == {"service": 1}
    assert waiting() == 1
    assert sensor.tick() == {}
    assert waiting() == 0


def test_a_load_is_reported_for_the_tables_that_it_names(sensor: Sensor):
    load(1, "service", "customers")

    assert sensor.tick() == {"service": 1, "customers": 1}


def test_an_event_that_comes_twice_is_one_materialisation(sensor: Sensor):
    change("service", 1)
    bodies = take_all()
    send(*bodies, *bodies)

    assert sensor.tick() == {"service": 1}
    send(*bodies)
    assert sensor.tick() == {}
    assert waiting() == 0


def test_events_in_another_order_report_every_file_once(sensor: Sensor):
    for second in (1, 2, 3):
        change("service", second)
    change("service", 4, "2025/11/26")
    last, *others = reversed(take_all())

    send(last)
    found = sensor.tick()
    send(*others)
    found_later = sensor.tick()

    assert found == {"service": 1}
    assert found_later in ({}, {"service": 3})  # at worst what came with the first, which curation has seen by then


def test_a_lost_event_is_found_by_the_listing(sensor: Sensor):
    change("service", 1)
    lose()

    assert sensor.tick() == {}
    sensor.now += AWS.listing_seconds
    assert sensor.tick() == {"service": 1}


def test_what_a_crash_left_between_report_and_cursor_is_told_again(sensor: Sensor):
    change("service", 1)
    bodies = take_all()
    send(*bodies)
    assert sensor.tick(is_stored=False) == {"service": 1}
    sensor.restart()
    send(*bodies)  # as SQS does after the visibility timeout

    assert sensor.tick() == {"service": 1}


def test_the_event_of_a_manifest_that_cannot_be_read_is_kept(sensor: Sensor):
    client("s3").put_object(Bucket=LAKE_BUCKET, Key="lake/raw/database/_load/000001.json", Body=b"{")

    assert sensor.tick() == {}
    assert sensor.tick() == {}
    assert waiting() == 1


def test_without_the_queue_the_listing_still_finds_what_is_new(sensor: Sensor):
    client("sqs").delete_queue(QueueUrl=url())
    change("service", 1)

    assert sensor.tick() == {}
    sensor.now += AWS.listing_seconds
    assert sensor.tick() == {"service": 1}


def test_a_quiet_tick_costs_one_request_and_a_listing_of_everything_few(aws: FakeAws, sensor: Sensor):
    for table in TABLES:
        change(table, 1, "2025/11/24")
        change(table, 2)
    load(1, *TABLES)
    sensor.tick()
    sensor.tick()
    aws.faults.requests.clear()

    sensor.tick()
    assert dict(aws.faults.requests) == {"sqs:ReceiveMessage": 1}

    sensor.now += AWS.listing_seconds
    aws.faults.requests.clear()
    sensor.tick()
    # Of each table its years, months, days and two days of files; the list of manifests, of which none is new.
    assert aws.faults.requests["s3:GET"] == 5 * len(TABLES) + 1


def test_events_of_one_folder_cost_one_listing(aws: FakeAws, sensor: Sensor):
    for second in range(20):
        change("service", second)
    aws.faults.requests.clear()

    assert sensor.tick() == {"service": 20}
    assert aws.faults.requests["s3:GET"] == 1


class Others:
    """Transfers that others have started, by feed."""

    def __init__(self, **newest: EndedTransfer) -> None:
        self.newest = newest

    def ended(self, feed: str, *, told: str | None) -> EndedTransfer | None:
        found = self.newest.get(feed)
        return None if found is None or found.name == told else found


def test_a_transfer_of_others_is_taken_in_once_by_a_run_of_its_own():
    others = Others(
        customers=EndedTransfer(name="theirs", is_news=True), sales_orders=EndedTransfer(name="ours", is_news=False)
    )
    sensor = ended_transfers_sensor(FEEDS)

    first = sensor(dg.build_sensor_context(resources={"transfer": others}))

    assert isinstance(first, dg.SensorResult)
    assert first.run_requests is not None
    [request] = first.run_requests
    assert request.run_key == "theirs"
    assert request.run_config == {"ops": {"transfer_customers": {"config": {"ended": "theirs"}}}}
    again = sensor(dg.build_sensor_context(cursor=first.cursor, resources={"transfer": others}))
    assert isinstance(again, dg.SensorResult)
    assert not again.run_requests


def test_without_a_landing_place_in_s3_csv_arrivals_asks_nobody(aws: FakeAws, aws_settings: Settings):
    sensor = transfer_sensor(FEEDS, transfer=DatasyncTransfer(settings=aws_settings), pace=AWS)
    aws.faults.requests.clear()

    result = sensor(dg.build_sensor_context())

    assert isinstance(result, dg.SkipReason)
    assert not aws.faults.requests


def test_an_export_in_the_landing_place_is_requested_once_and_no_more_when_raw_has_it(
    aws_settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AUTOCORP_AWS_LANDING", f"s3://{LAKE_BUCKET}/landing")
    make_task("customers", source=f"s3://{LAKE_BUCKET}/landing", lake=str(aws_settings.lake))
    client("s3").put_object(Bucket=LAKE_BUCKET, Key="landing/customers-20241121.csv", Body=b"x")
    transfer = DatasyncTransfer(settings=Settings(deployment="aws"), poll_seconds=0.001)
    sensor = transfer_sensor(FEEDS, transfer=transfer, pace=AWS)
    context = dg.build_sensor_context(instance=dg.DagsterInstance.ephemeral())

    first, second = sensor(context), sensor(context)

    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.asset_selection == [dg.AssetKey(["raw", "csv", "customers"])]
    assert second.run_key == first.run_key
    transfer.transfer("customers", on_progress=lambda _: None)
    assert isinstance(sensor(context), dg.SkipReason)


def test_the_deployment_ticks_slowly_and_transfers_every_hour(aws: FakeAws, aws_settings: Settings):
    # Their names only: nothing of them is used.
    resources = dict.fromkeys(aws_resources(aws_settings), object())
    repository = definitions(aws_settings, resources=resources, scheduled_checks=False).get_repository_def()

    ticks = {sensor.name: sensor.minimum_interval_seconds for sensor in repository.sensor_defs}
    assert {ticks[name] for name in ("raw_arrivals", "csv_arrivals")} == {AWS.tick_seconds}
    schedule = repository.get_schedule_def("transfer_hourly")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert not aws.faults.requests
