import json
import os
import re
import threading
import time

import psycopg
import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.local.generator.seed import seed_database
from autocorp_assets.local.replicator.service import replicate
from autocorp_assets.local.replicator.status import FILE, Phase, StatusFile, exclusive
from autocorp_assets.resources.local_replication import LocalReplication
from autocorp_assets.resources.ports.replication import ReplicationError
from autocorp_assets.resources.ports.source import GIB, RetainedLog
from autocorp_assets.settings import Settings


@pytest.fixture
def replication(tmp_path, monkeypatch) -> LocalReplication:
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    return LocalReplication(settings=Settings())


def test_before_anything_ran_nothing_is_meant_to_run(replication):
    state = replication.state()

    assert not state.running
    assert not state.should_run


def test_one_that_hangs_is_named_by_its_process_with_what_ends_it(replication):
    folder = replication.settings.replication_folder
    folder.mkdir(parents=True)
    status = StatusFile(folder)
    with exclusive(folder):
        status.update(phase=Phase.STREAMING)
        assert replication.state().remedy == ""
        written = json.loads((folder / FILE).read_text())
        (folder / FILE).write_text(json.dumps({**written, "updated_at": "2026-01-01T00:00:00Z"}))
        state = replication.state()

    assert state.running
    assert f"`kill -9 {os.getpid()}` ends it" in state.remedy


def test_a_source_that_does_not_answer_is_an_error_that_names_it(replication, monkeypatch):
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", "postgresql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(ReplicationError, match=r"127\.0\.0\.1"):
        LocalReplication(settings=Settings()).catch_up(deadline_seconds=5, on_progress=print)


def test_a_source_that_is_not_ready_says_what_to_run(database, monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", database)

    with pytest.raises(ReplicationError, match="auto_parts"):
        LocalReplication(settings=Settings()).catch_up(deadline_seconds=5, on_progress=print)


def test_anothers_database_is_replicated_through_its_connection_string(database, monkeypatch, tmp_path):
    seed_database(database)
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", database)
    monkeypatch.setenv("AUTOCORP_SLOT", "of_this_test")
    settings = Settings()

    LocalReplication(settings=settings).catch_up(deadline_seconds=60, on_progress=print)

    assert {load.rows for load in LakeStorage(settings.lake_folder).loads("sales_order")} == {1000}
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT slot_name FROM pg_replication_slots").fetchall() == [("of_this_test",)]


def test_the_log_that_a_stopped_replicator_leaves_at_the_source_is_told(database, monkeypatch, tmp_path):
    seed_database(database)
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", database)
    monkeypatch.setenv("AUTOCORP_SLOT", "of_this_test")
    replication = LocalReplication(settings=Settings())
    assert replication.retained_log() is None
    replication.catch_up(deadline_seconds=60, on_progress=print)
    before = replication.retained_log()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE sales_order SET notes = repeat('x', 1000)")

    after = replication.retained_log()
    status = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)["replication"]

    assert before is not None
    assert after is not None
    assert after.bytes > before.bytes + 1_000_000
    assert (after.limit_bytes, after.is_lost, after.warning) == (4 * GIB, False, None)
    assert (status["retained_limit_bytes"], status["warning"]) == (4 * GIB, None)
    assert status["retained_bytes"] >= after.bytes


def test_a_source_that_is_down_is_not_started_to_be_asked(replication):
    assert replication.retained_log() is None
    assert not replication.settings.source_folder.exists()


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (RetainedLog(slot="s", bytes=GIB, limit_bytes=4 * GIB, is_lost=False), None),
        (RetainedLog(slot="s", bytes=3 * GIB, limit_bytes=4 * GIB, is_lost=False), r"at 4\.0 GiB it gives the slot up"),
        (RetainedLog(slot="s", bytes=3 * GIB, limit_bytes=None, is_lost=False), "nothing but the source's disk"),
        (RetainedLog(slot="s", bytes=0, limit_bytes=4 * GIB, is_lost=True), "loads all tables again, by itself"),
    ],
)
def test_too_much_log_is_a_warning_that_says_what_to_do(log, told):
    if told is None:
        assert log.warning is None
    else:
        assert log.warning is not None
        assert re.search(told, log.warning)
        assert "autocorp sync" in log.warning


def test_a_reload_is_served_with_a_running_replicator_and_without(database, monkeypatch, tmp_path):
    seed_database(database)
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", database)
    monkeypatch.setenv("AUTOCORP_SLOT", "of_reloads")
    settings = Settings()
    replication = LocalReplication(settings=settings)
    replication.catch_up(deadline_seconds=60, on_progress=print)

    assert replication.reload(["customers"], deadline_seconds=60, on_progress=print) == {}

    stop = threading.Event()
    running = threading.Thread(
        target=replicate,
        kwargs={
            "dsn": database,
            "lake": settings.lake_folder,
            "state": settings.replication_folder,
            "slot": settings.slot,
            "until_caught_up": False,
            "stop": stop,
        },
    )
    running.start()
    try:
        while not replication.state().running:
            time.sleep(0.05)
        with psycopg.connect(database) as connection:
            connection.execute("DROP TABLE service_parts CASCADE")
        refused = replication.reload(["customers", "service_parts"], deadline_seconds=60, on_progress=print)
    finally:
        stop.set()
        running.join()

    assert refused.keys() == {"service_parts"}
    assert "the source has no table public.service_parts" in refused["service_parts"]
    assert [load.generation for load in LakeStorage(settings.lake_folder).loads("customers")] == [1, 2, 3]


def test_a_reload_that_takes_too_long_is_kept_and_says_so(database, monkeypatch, tmp_path):
    seed_database(database)
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", database)
    replication = LocalReplication(settings=Settings())
    replication.catch_up(deadline_seconds=60, on_progress=print)

    with psycopg.connect(database) as writer:
        writer.execute("UPDATE customers SET customer_id = customer_id")
        with pytest.raises(ReplicationError, match=r"customers: not loaded anew in time.*kept"):
            replication.reload(["customers"], deadline_seconds=1, on_progress=print)
    replication.catch_up(deadline_seconds=60, on_progress=print)

    assert [load.generation for load in LakeStorage(Settings().lake).loads("customers")] == [1, 2]
