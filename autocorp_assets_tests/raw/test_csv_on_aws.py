"""The asset of a raw feed on AWS: a run that drives DataSync, and one that takes in what others have brought."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from autocorp_assets.asset_keys import raw_feed_key
from autocorp_assets.automation.transfers import ended_transfers_sensor
from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.raw.csv import raw_feed
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.datasync_transfer import DatasyncTransfer
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.datasync import Failure, advance, controls, make_task
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws

FEED = FEEDS["customers"]
NAME = "customers-20241121.csv"
ROW = "Zoe,Brien,zoe@example.com,1,,,IL,1"


class Feed:
    """The asset with its resources, and the share from which its task reads."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder = folder / "exports"
        self.folder.mkdir()
        (self.folder / NAME).write_text(f"{','.join(FEED.columns)}\n{ROW}\n")
        self.lake = str(settings.lake)
        self.task = make_task(FEED.name, source=self.folder, lake=self.lake)
        transfer = DatasyncTransfer(settings=settings, poll_seconds=0.001)
        self.resources = {"transfer": transfer, "lake": LakeStorage(self.lake)}

    def materialize(self, run_config: dict | None = None) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [raw_feed(FEED, TABLES["customers"])],
            resources=self.resources,
            run_config=run_config or {},
            raise_on_error=False,
        )

    def run_by_others(self) -> dg.RunRequest:
        """What the sensor requests once an execution that somebody else has started has ended."""
        advance(client("datasync").start_task_execution(TaskArn=self.task)["TaskExecutionArn"], until="SUCCESS")
        sensor = ended_transfers_sensor([FEED.name])
        result = sensor(dg.build_sensor_context(resources={"transfer": self.resources["transfer"]}))
        assert isinstance(result, dg.SensorResult)
        assert result.run_requests is not None
        [request] = result.run_requests
        return request


@pytest.fixture
def feed(aws_settings: Settings, tmp_path: Path) -> Feed:
    return Feed(aws_settings, tmp_path)


def test_a_run_brings_an_export_and_reports_bytes_files_and_execution(feed: Feed):
    result = feed.materialize()

    assert result.success
    [event] = result.asset_materializations_for_node("transfer_customers")
    assert event.metadata["transferred"].value == [NAME]
    assert event.metadata["files_transferred"].value == 1
    assert str(event.metadata["execution"].value).startswith(feed.task)
    assert {found.check_name: found.passed for found in result.get_asset_check_evaluations()} == {
        "files_accepted": True,
        "schema": True,
        "rules": True,
    }


def test_what_others_have_brought_is_taken_in_without_another_execution(aws: FakeAws, feed: Feed):
    request = feed.run_by_others()

    result = feed.materialize(dict(request.run_config))

    [event] = result.asset_materializations_for_node("transfer_customers")
    assert event.asset_key == raw_feed_key(FEED.name)
    assert event.metadata["transferred"].value == [NAME]
    assert aws.faults.requests["datasync:StartTaskExecution"] == 1


def test_a_failure_of_others_fails_a_run_with_its_reason(feed: Feed):
    controls().failures.append(Failure(code="ShareGone", detail="the share is gone"))
    request = feed.run_by_others()

    result = feed.materialize(dict(request.run_config))

    assert not result.success
    error = result.failure_data_for_node("transfer_customers")
    assert error is not None
    assert "ShareGone: the share is gone" in str(error.error.to_string() if error.error else "")


def test_a_run_without_news_costs_few_requests(aws: FakeAws, feed: Feed):
    feed.materialize()
    aws.faults.requests.clear()

    feed.materialize()

    s3 = sum(number for name, number in aws.faults.requests.items() if name.startswith("s3:"))
    # The transfer, the report and two checks each list the feed and its receipts and read one; pyarrow asks for a size
    # before it reads. The checks read the head of the newest file, and its rows.
    assert s3 <= 24
    assert aws.faults.requests["datasync:StartTaskExecution"] == 1
