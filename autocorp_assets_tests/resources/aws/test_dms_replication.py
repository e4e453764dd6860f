"""Materialising the raw tables through a DMS task: what is started, waited for, recorded and said."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pyarrow as pa
import pytest

from autocorp_assets.automation.watch import replication_status
from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.dms_replication import DmsReplication
from autocorp_assets.resources.log_alerts import LogAlerts
from autocorp_assets.resources.ports.replication import ManagedReplication, ReplicationError
from autocorp_assets_tests.fakes.dms import DMS, Task
from autocorp_assets_tests.fakes.faults import EXPIRED, THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

LAKE = f"s3://{LAKE_BUCKET}/lake"


def rows(count: int, *, start: int = 0) -> pa.Table:
    return pa.table({"id": list(range(start, start + count))})


@pytest.fixture
def task(aws: FakeAws) -> Task:
    task = DMS.create("autocorp", lake=LAKE)
    task.source["customers"] = [rows(3), rows(2)]
    task.source["service"] = [rows(4)]
    return task


@pytest.fixture
def replication(task: Task) -> DmsReplication:
    return DmsReplication(task="autocorp", lake=LAKE, slot="autocorp_lake", poll_seconds=0.01, period_seconds=1)


@pytest.fixture
def told() -> list[str]:
    return []


def catch_up(replication: DmsReplication, told: list[str] | None = None, *, deadline: float = 5.0):
    return replication.catch_up(deadline_seconds=deadline, on_progress=[].append if told is None else told.append)


def manifests(table: str) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(load.generation, load.rows, load.files) for load in LakeStorage(LAKE).loads(table)]


def stop(task: Task, reason: str, message: str | None = None, *, status: str = "stopped") -> None:
    task.fail(reason, message, status=status)


def test_it_is_a_replication_that_may_be_started_again(replication):
    assert isinstance(replication, ManagedReplication)


def test_the_first_start_loads_every_table_and_records_the_load(task, replication, told):
    caught_up = catch_up(replication, told)

    assert task.starts == ["start-replication"]
    assert manifests("customers") == [(1, 5, ("LOAD00000001.parquet", "LOAD00000002.parquet"))]
    assert manifests("auto_parts") == [(1, 0, ())]  # an empty table writes no file, and is loaded all the same
    assert caught_up.tables.keys() == TABLES.keys()
    assert caught_up.tables["customers"].full_load_rows == 5
    assert caught_up.lag_seconds == 0
    assert datetime.fromisoformat(caught_up.position) <= datetime.now(UTC) + timedelta(seconds=5)
    assert any("start-replication" in line for line in told)


def test_a_load_is_followed_table_by_table(task, replication, told):
    task.slow["customers"] = 2

    catch_up(replication, told)

    assert any("6 of 7 tables loaded; customers 1 rows (full load)" in line for line in told)


def test_statistics_are_read_to_their_last_page(aws, task, replication):
    task.others = 700

    assert catch_up(replication).tables.keys() == TABLES.keys()
    assert aws.faults.requests["dms:DescribeTableStatistics"] % 2 == 0


def test_changes_since_a_quarter_of_an_hour_before_the_load_count_as_newer(task, replication):
    catch_up(replication)

    (load,) = LakeStorage(LAKE).loads("service")
    begun = task.tables["service"].started
    assert begun is not None
    assert re.fullmatch(r"\d{16}0{19}", load.start_sequence)
    assert load.start_sequence[:14] == f"{begun - timedelta(minutes=15):%Y%m%d%H%M%S}"
    assert abs(load.started_at - (begun - timedelta(minutes=15))) < timedelta(seconds=1)


def test_a_stopped_task_is_resumed_and_nothing_is_loaded_again(task, replication, told):
    catch_up(replication)
    stop(task, "NORMAL")

    catch_up(replication, told)

    assert task.starts == ["start-replication", "resume-processing"]
    assert manifests("customers")[-1][0] == 1
    assert any("somebody stopped it" in line for line in told)


def test_a_task_that_failed_before_its_load_was_over_loads_everything_again(task, replication):
    catch_up(replication)
    stop(task, "FATAL_ERROR", status="failed")
    task.checkpoint, task.stats["FullLoadFinishDate"] = None, None
    task.source["customers"] = [rows(9)]

    catch_up(replication)

    assert task.starts[-1] == "reload-target"
    assert manifests("customers")[-1][1:] == (9, ("LOAD00000001.parquet",))


def test_a_running_task_is_only_waited_for(task, replication):
    catch_up(replication)

    catch_up(replication)

    assert task.starts == ["start-replication"]


def test_raw_has_caught_up_only_when_a_data_point_says_so(task, replication, told):
    catch_up(replication)
    task.latency = 3600.0

    with pytest.raises(ReplicationError, match=r"in 1 s: raw has what was committed before .* UTC \(lag 3600 s\)"):
        catch_up(replication, told, deadline=1.0)


def test_without_a_data_point_it_waits_and_says_for_what(task, replication):
    task.latency = None

    with pytest.raises(ReplicationError, match="first data point of CDCLatencyTarget"):
        catch_up(replication, deadline=0.5)


def test_a_fail_over_in_mid_stream_is_waited_out(task, replication, told):
    catch_up(replication)
    task.steps.extend([lambda task: setattr(task, "status", "starting"), lambda _: None, lambda task: task.run()])

    catch_up(replication, told)

    assert task.starts == ["start-replication"]
    assert "DMS task autocorp is starting" in told


def test_an_interruption_while_waiting_is_mended_once(task, replication):
    catch_up(replication)
    task.latency = 3600.0
    interrupted = lambda task: stop(task, "RECOVERABLE_ERROR", "connection lost", status="failed")  # noqa: E731
    task.steps.extend([interrupted, lambda task: task.run(), interrupted, lambda task: task.run(), interrupted])

    with pytest.raises(ReplicationError, match="connection lost"):
        catch_up(replication)

    assert task.starts == ["start-replication", "resume-processing", "resume-processing"]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("STOPPED_DUE_TO_LOW_MEMORY", "out of memory.*larger instance class"),
        ("STOPPED_DUE_TO_LOW_DISK", "out of disk.*AllocatedStorage"),
        ("FATAL_ERROR", "a restart does not mend.*log in CloudWatch.*reload: true"),
        ("FULL_LOAD_ONLY_FINISHED", "only does a full load.*full-load-and-cdc"),
        ("STOPPED_AFTER_FULL_LOAD", "stop it after the full load.*StopTaskCachedChangesNotApplied"),
        ("STOPPED_AFTER_CACHED_EVENTS", "stop it after the full load.*StopTaskCachedChangesApplied"),
        ("STOPPED_AFTER_DDL_APPLY", "after a change of a table's columns.*resume"),
        ("STOPPED_AT_SERVER_TIME", "server time.*resume"),
        ("STOPPED_AT_COMMIT_TIME", "commit time.*resume"),
        ("EXPRESS_LICENSE_LIMITS_REACHED", "licence"),
        ("SOMETHING_NEW", "SOMETHING_NEW.*log in CloudWatch"),
    ],
)
def test_a_task_that_stops_while_it_is_waited_for_is_not_started_again(task, replication, reason, said):
    task.latency = None
    task.steps.extend([lambda task: task._advance(), lambda task: task.run(), lambda task: stop(task, reason)])

    with pytest.raises(ReplicationError, match=said):
        catch_up(replication)

    assert task.starts == ["start-replication"]
    state = replication.state()
    assert not state.running
    assert not state.restart_mends


@pytest.mark.parametrize("reason", ["RECOVERABLE_ERROR", "RECONFIGURATION_RESTART", "RECYCLE_TASK", ""])
def test_what_a_restart_may_mend_is_told_as_such(task, replication, reason):
    catch_up(replication)
    stop(task, reason, "the network was away", status="failed")

    state = replication.state()

    assert (state.running, state.should_run, state.restart_mends) == (False, True, True)
    assert "the network was away" in state.summary


def test_a_task_that_only_does_full_loads_is_refused_before_it_starts(task, replication):
    task.moto.migration_type = "full-load"
    task.stats["FreshStartDate"] = datetime.now(UTC)
    stop(task, "FULL_LOAD_ONLY_FINISHED")

    with pytest.raises(ReplicationError, match="full-load-and-cdc"):
        catch_up(replication)

    assert task.starts == []


def test_a_table_in_error_is_loaded_anew_alone(task, replication):
    task.broken["customers"] = 1

    caught_up = catch_up(replication)

    assert task.reloads == ["customers"]
    assert caught_up.refused == {}
    assert manifests("customers")[-1][1] == 5


def test_a_table_that_fails_again_is_refused_and_holds_back_no_other(task, replication):
    task.broken["customers"] = 2

    caught_up = catch_up(replication)

    assert task.reloads == ["customers"]
    assert caught_up.refused.keys() == {"customers"}
    assert "the task's log in CloudWatch has the reason" in caught_up.refused["customers"]
    assert manifests("customers") == []
    assert manifests("service")[-1][1] == 4


def test_a_table_that_the_task_does_not_replicate_is_refused(task, replication):
    del task.source["service_parts"]

    caught_up = catch_up(replication)

    assert "table mappings do not select it" in caught_up.refused["service_parts"]


def test_a_reload_of_one_table_waits_for_its_new_load(task, replication):
    catch_up(replication)
    task.source["customers"] = [rows(1)]

    assert replication.reload(["customers"], deadline_seconds=5, on_progress=print) == {}

    assert task.reloads == ["customers"]
    # LOAD00000002 of the longer load before is still there, and belongs to no load any more.
    assert manifests("customers")[-1] == (2, 1, ("LOAD00000001.parquet",))
    assert len(manifests("service")) == 1


def test_a_reload_of_everything_starts_a_stopped_task_with_it(task, replication):
    catch_up(replication)
    stop(task, "FATAL_ERROR", "slot lost", status="failed")
    task.source["customers"] = [rows(8)]

    assert replication.reload(list(TABLES), deadline_seconds=5, on_progress=print) == {}

    assert task.starts == ["start-replication", "reload-target"]
    assert manifests("customers")[-1][1] == 8


def test_a_reload_that_fails_says_why(task, replication):
    catch_up(replication)
    task.broken["customers"] = 1

    refused = replication.reload(["customers", "service"], deadline_seconds=5, on_progress=print)

    assert refused.keys() == {"customers"}
    assert manifests("service")[-1][0] == 2


def test_files_that_do_not_hold_the_rows_of_the_load_are_no_load(task, replication):
    task.source["customers"] = []
    task.steps.extend([lambda task: task._advance()])
    task.complete = lambda name, count: Task.complete(task, name, 7 if name == "customers" else count)

    with pytest.raises(ReplicationError, match=r"loaded 7 rows, which its LOAD files.*there are none"):
        catch_up(replication, deadline=0.5)

    assert manifests("customers") == []


def test_a_load_begun_in_the_console_is_recorded_by_a_look(aws, task, replication):
    catch_up(replication)
    task.reload(["service"])
    task.load()

    assert replication.record_loads() == ("service",)
    assert [generation for generation, *_ in manifests("service")] == [1, 2]

    aws.faults.requests.clear()
    assert replication.record_loads() == ()
    assert not [name for name in aws.faults.requests if name.startswith("s3:")]


def test_two_processes_record_a_load_once(task, replication):
    other = DmsReplication(task="autocorp", lake=LAKE, slot="s", poll_seconds=0.01, period_seconds=1)
    catch_up(replication)
    task.reload(["service"])
    task.load()
    statistics = replication._api.statistics(replication._api.describe())
    read = other._recorder._read_manifests

    def meanwhile(since):
        last = read(since)
        replication.record_loads()
        return last

    object.__setattr__(other._recorder, "_read_manifests", meanwhile)

    assert other._recorder.record(statistics).tables == ()
    assert [generation for generation, *_ in manifests("service")] == [1, 2]


def test_a_manifest_says_which_of_dms_loads_it_records(task, replication):
    catch_up(replication)

    body = client("s3").get_object(Bucket=LAKE_BUCKET, Key="lake/raw/database/_load/000001.json")["Body"].read()

    assert json.loads(body)["loads"].keys() == TABLES.keys()


def test_throttling_and_a_server_error_pass_unnoticed(aws, replication):
    aws.faults.add("dms", THROTTLED, UNAVAILABLE)
    aws.faults.add("monitoring", THROTTLED, UNAVAILABLE)

    assert catch_up(replication).refused == {}


def test_expired_credentials_say_what_to_do(aws, replication):
    aws.faults.add("dms", EXPIRED)

    with pytest.raises(ReplicationError, match=r"DMS task autocorp: DescribeReplicationTasks.*renew them"):
        catch_up(replication)


def test_a_task_that_is_not_there_is_named(aws):
    missing = DmsReplication(task="nothing", lake=LAKE, slot="s", poll_seconds=0.01)

    with pytest.raises(ReplicationError, match=r"no DMS task nothing in eu-central-1: create it"):
        catch_up(missing)

    state = missing.state()
    assert (state.running, state.should_run, state.restart_mends) == (False, True, False)


def test_the_state_tells_lag_and_tables_in_error(task, replication):
    catch_up(replication)
    task.latency = 42.0
    task.tables["service"].state = "Table error"

    state = replication.state()

    assert state.running
    assert state.lag_seconds == 42
    assert state.tables_in_error == ("service",)
    assert "lag 42 s" in state.summary


def test_before_its_first_start_nothing_is_meant_to_run(replication):
    state = replication.state()

    assert (state.running, state.should_run, state.restart_mends) == (False, False, False)
    assert "never started" in state.summary


def test_what_somebody_stopped_is_not_meant_to_run(task, replication):
    catch_up(replication)
    stop(task, "NORMAL")

    assert not replication.state().should_run


def test_it_resumes_without_waiting(task, replication):
    catch_up(replication)
    stop(task, "RECOVERABLE_ERROR", status="failed")

    assert replication.resume() == "DMS task autocorp: resume-processing"
    assert task.status == "starting"

    with pytest.raises(ReplicationError, match="is running"):
        replication.resume()


def test_who_was_not_asked_to_starts_nothing(task, replication):
    catch_up(replication)
    stop(task, "NORMAL")

    with pytest.raises(ReplicationError, match="somebody stopped it"):
        replication.catch_up(deadline_seconds=5, on_progress=print, may_start=False)

    assert task.starts == ["start-replication"]


def test_the_sensor_resumes_and_says_the_lag_with_few_requests(aws, task, replication):
    catch_up(replication)
    stop(task, "RECOVERABLE_ERROR", "connection lost", status="failed")
    resources = {"replication": replication, "alerts": LogAlerts()}

    with dg.build_sensor_context(resources=resources) as context:
        down = replication_status(context)
        cursor = context.cursor
    assert task.starts[-1] == "resume-processing"
    task.run()
    task.latency = 12.0
    aws.faults.requests.clear()
    with dg.build_sensor_context(resources=resources, cursor=cursor) as context:
        running = replication_status(context)

    assert isinstance(down, dg.SkipReason)
    assert isinstance(running, dg.SkipReason)
    assert "started again, attempt 1 of 5" in str(down.skip_message)
    assert "lag 12 s" in str(running.skip_message)
    assert sum(aws.faults.requests.values()) == 3, aws.faults.requests


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}"], ids=["cut off", "of another form", "without its fields"])
def test_loads_of_a_manifest_that_cannot_be_read_are_recorded_once_more(task, replication, content):
    client("s3").put_object(Bucket=LAKE_BUCKET, Key="lake/raw/database/_load/000001.json", Body=content)

    catch_up(replication)

    lake = LakeStorage(LAKE)
    assert all([load.generation for load in lake.loads(table)] == [2] for table in TABLES)


def test_a_load_file_that_cannot_be_read_refuses_its_table_alone_with_what_to_do(task, replication):
    catch_up(replication)
    (path,) = (file.path for file in LakeStorage(LAKE).raw_files("raw/database/service") if "LOAD" in file.name)
    client("s3").delete_object(Bucket=LAKE_BUCKET, Key="lake/raw/database/_load/000001.json")
    client("s3").put_object(Bucket=LAKE_BUCKET, Key=f"lake/{path}", Body=b"not Parquet")

    of_another_process = replace(replication, poll_seconds=0.02)
    caught_up = catch_up(of_another_process)

    assert caught_up.refused.keys() == {"service"}
    assert re.search(
        r"LOAD00000001\.parquet: .*from its former version, or `autocorp reload service`", caught_up.refused["service"]
    )
    assert LakeStorage(LAKE).loads("service") == []
    assert len(LakeStorage(LAKE).loads("customers")) == 1
    with pytest.raises(ReplicationError, match=r"LOAD00000001\.parquet: .*autocorp reload service"):
        of_another_process.record_loads()


def test_a_reload_of_a_table_that_dms_does_not_know_refuses_only_that(task, replication):
    del task.source["service_parts"]
    catch_up(replication)

    refused = replication.reload(["service", "service_parts"], deadline_seconds=5, on_progress=print)

    assert refused.keys() == {"service_parts"}
    assert task.reloads == ["service"]
