import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from autocorp_assets.automation.arrivals import Seen, look, raw_arrivals_sensor, since_day
from autocorp_assets.automation.transfers import missed_transfers, transfer_sensor
from autocorp_assets.contracts.raw_format import LOAD_MANIFESTS, table_prefix
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.transfer import Transfer, TransferFailed, TransferOutcome


@dataclass
class Landing(Transfer):
    """Exports that have arrived, by feed."""

    files: dict[str, list[str]] = field(default_factory=dict)
    trouble: str | None = None

    def arrivals(self, feeds: Sequence[str]) -> dict[str, list[str]]:
        if self.trouble:
            raise TransferFailed(self.trouble)
        return {feed: self.files.get(feed, []) for feed in feeds}

    def ended(self, feed: str, *, told: str | None) -> None:
        """Nobody else transfers."""

    def transfer(self, feed: str, *, on_progress: Progress, ended: str | None = None) -> TransferOutcome:
        raise NotImplementedError


@pytest.fixture
def lake(tmp_path) -> LakeStorage:
    return LakeStorage(tmp_path)


def change_file(lake: LakeStorage, table: str, day: str, name: str) -> None:
    folder = Path(lake.root) / table_prefix(table) / f"year={day[:4]}/month={day[4:6]}/day={day[6:]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


def load(lake: LakeStorage, generation: int, **tables: list[str]) -> None:
    manifest = Path(lake.root) / LOAD_MANIFESTS / f"{generation:06d}.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "generation": generation,
        "start_sequence": "0" * 35,
        "started_at": "2026-01-01T00:00:00Z",
        "tables": {name: {"rows": 1, "files": files} for name, files in tables.items()},
    }
    manifest.write_text(json.dumps(content))


def tick(lake: LakeStorage, cursor: str | None = None):
    sensor = raw_arrivals_sensor(["service", "customers"], lake=lake)
    return sensor(dg.build_sensor_context(cursor=cursor))


def requested(sensor: dg.SensorDefinition, context: dg.SensorEvaluationContext) -> dg.RunRequest:
    result = sensor(context)
    assert isinstance(result, dg.RunRequest)
    return result


def skipped(sensor: dg.SensorDefinition, context: dg.SensorEvaluationContext) -> str:
    result = sensor(context)
    assert isinstance(result, dg.SkipReason)
    return result.skip_message or ""


def reported(result) -> dict[str, int]:
    return {event.asset_key.path[-1]: event.metadata["new_files"].value for event in result.asset_events}


def test_new_files_are_reported_once_and_again_when_the_tick_is_repeated(lake):
    load(lake, 1, service=["LOAD00000001.parquet"], customers=[])
    change_file(lake, "service", "20260102", "20260102-030405000-1-00.parquet")

    first = tick(lake)

    assert reported(first) == {"service": 2, "customers": 0}
    assert reported(tick(lake)) == reported(first)
    assert isinstance(tick(lake, first.cursor), dg.SkipReason)

    change_file(lake, "service", "20260102", "20260102-030406000-2-00.parquet")

    assert reported(tick(lake, first.cursor)) == {"service": 1}


def test_a_new_load_generation_is_news(lake):
    load(lake, 1, service=["LOAD00000001.parquet"])
    cursor = tick(lake).cursor
    load(lake, 2, service=["LOAD00000002.parquet"])

    assert reported(tick(lake, cursor)) == {"service": 1}


def test_a_manifest_that_cannot_be_read_holds_back_nothing_else_and_is_named(lake):
    load(lake, 1, service=["LOAD00000001.parquet"])
    (Path(lake.root) / LOAD_MANIFESTS / "000002.json").write_text('{"generation": 2')
    load(lake, 3, customers=["LOAD00000002.parquet"])
    change_file(lake, "service", "20260102", "20260102-030405000-1-00.parquet")

    first = tick(lake)
    told = tick(lake, first.cursor).skip_message
    load(lake, 2, service=["LOAD00000003.parquet"])

    assert reported(first) == {"service": 2, "customers": 1}
    assert "000002.json is not a whole JSON object" in told
    assert reported(tick(lake, first.cursor)) == {"service": 1}


def test_a_table_whose_files_cannot_be_listed_holds_back_no_other_and_is_named(lake):
    change_file(lake, "service", "20260102", "20260102-030405000-1-00.parquet")
    (Path(lake.root) / table_prefix("customers")).write_text("not a folder")

    first = tick(lake)

    assert reported(first) == {"service": 1}
    assert "customers: " in tick(lake, first.cursor).skip_message


def test_files_of_old_commits_that_were_flushed_late_are_seen(lake):
    change_file(lake, "service", "20260102", "20260102-235959000-1-00.parquet")
    seen = look(lake, "service", Seen()).seen
    change_file(lake, "service", "20260102", "20260105-000000000-2-00.parquet")

    assert look(lake, "service", seen).files == 1


def test_only_recent_folders_are_listed():
    assert since_day("20260301-000000000-1-00.parquet") == "20260228"
    assert since_day("") is None


def test_one_run_takes_in_all_feeds_that_have_arrivals_and_names_itself_by_them():
    instance = dg.DagsterInstance.ephemeral()
    landing = Landing({"customers": ["customers-20260101.csv 10 1"], "sales_orders": ["sales_orders-20260101.csv 5 1"]})
    sensor = transfer_sensor(["customers", "sales_orders", "sales_order_parts"], transfer=landing)
    context = dg.build_sensor_context(instance=instance)

    first = requested(sensor, context)
    assert {key.path[-1] for key in first.asset_selection or ()} == {"customers", "sales_orders"}
    assert requested(sensor, context).run_key == first.run_key

    landing.files["customers"] = ["customers-20260101.csv 11 2"]

    assert requested(sensor, context).run_key != first.run_key


def test_a_transfer_that_failed_is_requested_again_but_not_at_once(monkeypatch):
    instance = dg.DagsterInstance.ephemeral()
    context = dg.build_sensor_context(instance=instance)
    sensor = transfer_sensor(["customers"], transfer=Landing({"customers": ["customers-20260101.csv 10 1"]}))
    first = requested(sensor, context)

    job_of(first).execute_in_process(instance=instance, raise_on_error=False)

    assert "has failed" in skipped(sensor, context)
    monkeypatch.setattr("autocorp_assets.automation.transfers.AGAIN_SECONDS", -1)
    assert requested(sensor, context).run_key not in {None, first.run_key}


@dg.op
def fail() -> None:
    raise dg.Failure("the disk is full")


def test_without_arrivals_the_sensor_says_which_names_it_waits_for():
    sensor = transfer_sensor(["customers"], transfer=Landing())

    assert "customers-YYYYMMDD.csv" in skipped(sensor, dg.build_sensor_context())


def test_where_nobody_can_say_what_has_arrived_the_reason_is_told():
    sensor = transfer_sensor(["customers"], transfer=Landing(trouble="the folder cannot be listed"))

    assert "the folder cannot be listed" in skipped(sensor, dg.build_sensor_context())


def test_the_hourly_transfer_takes_what_the_sensor_has_missed_and_makes_no_run_for_nothing():
    landing = Landing()
    resources = {"transfer": landing}
    every_hour = missed_transfers(["customers"])
    with dg.instance_for_test() as instance:

        def hourly() -> object:
            return every_hour(dg.build_schedule_context(instance=instance, resources=resources))

        idle = hourly()
        landing.files["customers"] = ["customers-20260101.csv 10 1"]
        asked = requested(transfer_sensor(["customers"], transfer=landing), dg.build_sensor_context(instance=instance))
        missed = hourly()
        run = instance.create_run_for_job(job_of(asked), tags=asked.tags, status=dg.DagsterRunStatus.STARTED)
        under_way = hourly()
        instance.report_run_canceled(run)
        given_up = hourly()

    assert isinstance(idle, dg.SkipReason)
    assert "nothing to transfer" in (idle.skip_message or "")
    assert isinstance(missed, dg.RunRequest)
    assert missed.asset_selection == asked.asset_selection
    assert isinstance(under_way, dg.SkipReason)
    assert run.run_id[:8] in (under_way.skip_message or "")
    assert isinstance(given_up, dg.RunRequest), "the sensor asks for one content once"


def job_of(request: dg.RunRequest) -> dg.JobDefinition:
    @dg.job(tags=request.tags)
    def transfer_job() -> None:
        fail()

    return transfer_job
