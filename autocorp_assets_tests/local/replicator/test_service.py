"""How the replicator behaves as a service: alone, observable, patient, honest about what it lost."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from autocorp_assets.local.replicator import batch, service, source
from autocorp_assets.local.replicator.checkpoint import Checkpoint, ReplicationError
from autocorp_assets.local.replicator.service import DEFAULT_SLOT, replicate
from autocorp_assets.local.replicator.status import ReplicationStatus, position, read_status
from autocorp_assets.local.replicator.stream import ReplicationStream
from autocorp_assets.local.source.postgres import EmbeddedPostgres
from autocorp_assets_tests.local.replicator.conftest import SCHEMA, Replica, wait_for
from autocorp_assets_tests.local.replicator.raw_reader import (
    assert_equal_to_source,
    change_files,
    fold,
    manifests,
    read_raw,
)


def status_of(replica: Replica) -> ReplicationStatus:
    status = read_status(replica.state)
    assert status is not None
    return status


def is_streaming(replica: Replica) -> bool:
    status = read_status(replica.state)
    return status is not None and status.is_alive and status.phase == "streaming"


def test_a_second_replicator_is_refused_and_told_of_the_first(replica):
    child = replica.start()
    wait_for(lambda: is_streaming(replica))

    with pytest.raises(ReplicationError, match=f"process {child.pid} "):
        replica.catch_up()


def test_status_tells_the_dead_from_the_living(replica):
    assert read_status(replica.state) is None
    child = replica.start()
    wait_for(lambda: is_streaming(replica))
    child.send_signal(signal.SIGKILL)
    child.wait()

    status = status_of(replica)
    assert (status.phase, status.is_alive, status.pid) == ("streaming", False, child.pid)


def test_position_passes_log_that_does_not_concern_us(replica, run):
    replica.catch_up()
    replica.start()
    wait_for(lambda: is_streaming(replica))
    run("CREATE TABLE other (i INT)", "INSERT INTO other SELECT * FROM generate_series(1, 1000)")
    with psycopg.connect(replica.dsn) as connection:
        end = source.current_lsn(connection)

    wait_for(lambda: (position(replica.state) or 0) >= end, seconds=5)


def test_commits_that_are_not_on_disk_yet_are_waited_for(replica):
    replica.catch_up()
    with psycopg.connect(replica.dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for _ in range(5):
            connection.execute("INSERT INTO service VALUES (gen_random_uuid())")
            replica.catch_up()
            assert_equal_to_source(replica.dsn, replica.lake)


def test_neither_status_nor_log_nor_error_holds_the_password(replica, postgres, tmp_path):
    password = "pa55-and-word"
    with psycopg.connect(replica.dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE limited LOGIN PASSWORD 'pa55-and-word'")
    try:
        parts = {k: v for k, v in conninfo_to_dict(replica.dsn).items() if k != "passfile"}
        replica.dsn = make_conninfo("", **{**parts, "user": "limited", "password": password})
        assert replica.start().wait(30) == 1
    finally:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute("DROP ROLE limited")
    assert "error" in replica.log.read_text()
    for file in [replica.log, *replica.state.iterdir()]:
        assert password not in file.read_text()
    with pytest.raises(ReplicationError) as refused:
        source.connect(f"host {password}")
    assert password not in str(refused.value)


def test_tls_is_required_off_this_machine():
    with pytest.raises(ReplicationError, match="sslmode=disable"):
        source.connect("host=db.example.com sslmode=disable")


def test_a_lost_slot_is_a_new_load_of_everything(replica, run):
    run("INSERT INTO service VALUES ('a'), ('b')")
    replica.catch_up()
    run("INSERT INTO service VALUES ('c')", "INSERT INTO service VALUES ('e')")
    replica.catch_up()
    run("SELECT pg_drop_replication_slot('autocorp_lake')", "DELETE FROM service WHERE serviceid = 'b'")
    before = read_raw(replica.lake, "service").sequences
    checkpoint = replica.catch_up()
    run("INSERT INTO service VALUES ('d')")
    replica.catch_up()

    assert checkpoint.generation == 2
    assert_equal_to_source(replica.dsn, replica.lake)
    first, second = manifests(replica.lake)
    assert first["start_sequence"] < before[0] < before[-1] < second["start_sequence"]
    assert second["tables"]["service"]["files"] == ["LOAD00000002.parquet"]
    assert any("slot is gone" in text for text in replica.told)
    assert not any("source away" in text for text in replica.told)


def test_a_lost_publication_is_a_new_load_of_everything(replica, run):
    replica.catch_up()
    run("DROP PUBLICATION autocorp_lake", "INSERT INTO service VALUES ('a')")

    assert replica.catch_up().generation == 2
    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_lost_lake_is_a_new_load_of_everything(replica, run):
    run("INSERT INTO service VALUES ('a')")
    replica.catch_up()
    replica.lake.rename(replica.lake.with_name("gone"))
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_lost_state_folder_goes_on_in_the_same_lake(replica, run):
    run("INSERT INTO service VALUES ('a')")
    replica.catch_up()
    run("INSERT INTO service VALUES ('b')")
    replica.catch_up()
    replica.state.rename(replica.state.with_name("gone"))
    with pytest.raises(ReplicationError, match="pg_drop_replication_slot"):
        replica.catch_up()
    run("SELECT pg_drop_replication_slot('autocorp_lake')")
    replica.catch_up()
    run("INSERT INTO service VALUES ('c')")
    replica.catch_up()

    assert [m["generation"] for m in manifests(replica.lake)] == [1, 2]
    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_role_that_may_not_publish_is_told_what_to_run(replica, postgres, run):
    run("CREATE ROLE reader LOGIN REPLICATION PASSWORD 'x'")
    try:
        parts = {k: v for k, v in conninfo_to_dict(replica.dsn).items() if k != "passfile"}
        replica.dsn = make_conninfo("", **{**parts, "user": "reader", "password": "x"})
        with pytest.raises(
            ReplicationError, match=r'CREATE PUBLICATION "autocorp_lake" FOR TABLE "public"\."auto_parts"'
        ):
            replica.catch_up()
    finally:
        run("DROP ROLE reader")


def test_a_missing_table_is_named(database, tmp_path):
    with pytest.raises(ReplicationError, match="auto_parts"):
        Replica(database, tmp_path / "lake", tmp_path / "state").catch_up()


def test_a_large_transaction_is_spilled_and_stays_one_commit(replica, run, monkeypatch):
    monkeypatch.setattr(batch, "SPILL_ROWS", 1000)
    monkeypatch.setattr(batch, "FILE_ROWS", 4000)
    replica.catch_up()
    run("INSERT INTO auto_parts (sku, name) SELECT 'k' || i, 'x' FROM generate_series(1, 10000) i")
    replica.catch_up()

    files = change_files(replica.lake, "auto_parts")
    assert [re.sub(r".*-", "", file.stem) for file in files] == ["01", "02", "03"]
    assert [pq.ParquetFile(file).num_row_groups for file in files] == [4, 4, 2]
    assert_equal_to_source(replica.dsn, replica.lake)


def test_an_open_transaction_holds_up_the_load_until_the_deadline(replica):
    with psycopg.connect(replica.dsn) as writer:
        writer.execute("INSERT INTO service VALUES ('a')")
        with pytest.raises(TimeoutError):
            replica.catch_up(deadline=1)
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_slot_that_a_dead_process_holds_is_freed(replica, run, monkeypatch):
    monkeypatch.setattr(service, "_HOLDER_SECONDS", 0.5)
    lsn = replica.catch_up().lsn
    run("INSERT INTO service VALUES ('a')")
    with contextlib.closing(source.connect(replica.dsn, replication=True)) as holder:
        ReplicationStream(holder, slot=DEFAULT_SLOT, lsn=lsn)
        replica.catch_up()

    assert any("still holds slot" in text for text in replica.told)
    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_slot_that_fell_too_far_behind_is_a_new_load(tmp_path):
    server = EmbeddedPostgres(
        tmp_path / "postgres",
        settings={"fsync": "off", "max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "32MB"},
    )
    server.start(guarded=True)
    try:
        replica = Replica(server.dsn, tmp_path / "lake", tmp_path / "state")
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(SCHEMA.read_bytes())
            replica.catch_up()
            connection.execute("INSERT INTO service VALUES ('a')")
            for _ in range(4):
                connection.execute("SELECT pg_switch_wal()")
                connection.execute("CREATE TABLE IF NOT EXISTS other (i INT)")
                connection.execute("INSERT INTO other VALUES (1)")
            connection.execute("CHECKPOINT")
        assert replica.catch_up().generation == 2
        assert any("invalidated" in text for text in replica.told)
        assert_equal_to_source(replica.dsn, replica.lake)
    finally:
        server.stop()


def test_partitions_are_told_as_their_table(replica, run):
    run(
        "DROP TABLE service_parts, sales_order_services, service CASCADE",
        "CREATE TABLE service (serviceid TEXT PRIMARY KEY, service TEXT) PARTITION BY HASH (serviceid)",
        "CREATE TABLE service_0 PARTITION OF service FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE service_1 PARTITION OF service FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "CREATE TABLE service_parts (service_part_id INT PRIMARY KEY)",
        "CREATE TABLE sales_order_services (line_item_id INT PRIMARY KEY)",
        "INSERT INTO service SELECT i FROM generate_series(1, 9) i",
    )
    replica.catch_up()
    run("INSERT INTO service SELECT i FROM generate_series(10, 19) i")
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_silent_source_ends_the_wait_at_the_deadline(tmp_path):
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="deadline"):
        replicate(
            dsn="host=127.0.0.1 port=1 dbname=nothing",
            lake=tmp_path / "lake",
            state=tmp_path / "state",
            until_caught_up=True,
            deadline_seconds=1,
            stop=None,
            on_progress=None,
        )
    assert time.monotonic() - began < 5
    assert (status := read_status(tmp_path / "state"))
    assert status.phase == "failed"


def test_stop_ends_the_wait_for_a_source_that_is_away(tmp_path):
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    checkpoint = replicate(
        dsn="host=127.0.0.1 port=1 dbname=nothing",
        lake=tmp_path / "lake",
        state=tmp_path / "state",
        until_caught_up=False,
        deadline_seconds=None,
        stop=stop,
        on_progress=None,
    )
    assert checkpoint == Checkpoint(slot="", source="", lake="../lake")


def test_it_comes_back_when_the_source_does(tmp_path: Path):
    server = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})
    server.start(guarded=True)
    replica = Replica(server.dsn, tmp_path / "lake", tmp_path / "state")
    try:
        with psycopg.connect(server.dsn) as connection:
            connection.execute(SCHEMA.read_bytes())
        child = replica.start()
        wait_for(lambda: is_streaming(replica))
        server.stop()
        wait_for(lambda: status_of(replica).phase == "reconnecting")
        server.start(guarded=True)
        with psycopg.connect(server.dsn) as connection:
            connection.execute("INSERT INTO service VALUES ('a')")
        wait_for(lambda: fold(replica.lake, "service"))
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        assert [m["generation"] for m in manifests(replica.lake)] == [1]
    finally:
        for child in replica.children:
            child.kill()
        server.stop()
