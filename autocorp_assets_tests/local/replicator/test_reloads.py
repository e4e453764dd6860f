"""Single tables loaded anew: at one exact position of the log, while everything else goes on."""

from __future__ import annotations

import signal
import time

import psycopg

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.replicator import reloads
from autocorp_assets.local.replicator.requests import ReloadRequest, pending_requests, request_reload
from autocorp_assets.local.replicator.status import position, read_status
from autocorp_assets_tests.local.replicator.conftest import Replica, wait_for
from autocorp_assets_tests.local.replicator.raw_reader import (
    assert_equal_to_source,
    fold,
    manifests,
    read_raw,
)
from autocorp_assets_tests.local.replicator.test_crashes import Traffic, kill


def is_streaming(replica: Replica) -> bool:
    status = read_status(replica.state)
    return status is not None and status.is_alive and status.phase == "streaming"


def is_served(request: ReloadRequest) -> bool:
    return ReloadRequest.read(request.path) is None


def assert_joined_exactly(replica: Replica, table: str) -> None:
    """Each change since the newest load is one that its rows do not show yet: none is applied twice."""
    raw, key = read_raw(replica.lake, table), TABLES[table].primary_key
    newest = raw.manifests[-1]
    present = {row[key] for row in raw.loads[newest["generation"]]}
    for change in raw.changes:
        if change["dms_change_seq"] < newest["start_sequence"]:
            continue
        if change["Op"] == "I":
            assert change[key] not in present
            present.add(change[key])
        else:
            assert change[key] in present
            if change["Op"] == "D":
                present.remove(change[key])


def test_a_pass_serves_what_was_asked_for_before_it(replica, run):
    run("INSERT INTO service VALUES ('a'), ('b')", "INSERT INTO auto_parts VALUES ('p', 'Bolt')")
    replica.catch_up()
    run("INSERT INTO service VALUES ('c')", "INSERT INTO auto_parts VALUES ('q', 'Nut')")
    request = request_reload(replica.state, "service")

    loaded = replica.catch_up()
    run("INSERT INTO service VALUES ('d')", "DELETE FROM service WHERE serviceid = 'a'")
    replica.catch_up()

    assert is_served(request)
    assert (loaded.generation, loaded.whole_generation) == (2, 1)
    _, second = manifests(replica.lake)
    assert second["tables"] == {"service": {"rows": 3, "files": ["LOAD00000002.parquet"]}}
    assert sorted(fold(replica.lake, "service")) == ["b", "c", "d"]
    assert sorted(fold(replica.lake, "auto_parts")) == ["p", "q"]
    assert [change["Op"] for change in read_raw(replica.lake, "service").changes] == ["I", "I", "D"]


def test_a_running_replicator_serves_requests_under_writes_and_joins_them_exactly(replica):
    replica.catch_up()
    with Traffic(replica.dsn) as traffic:
        replica.start(flush=0.002)
        for _ in range(2):
            wait_for(lambda: is_streaming(replica))
            requests = [request_reload(replica.state, table) for table in ("service", "auto_parts")]
            wait_for(lambda asked=requests: all(is_served(request) for request in asked))
            written = traffic.transactions
            wait_for(lambda written=written: traffic.transactions > written + 20)
    kill(replica)
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)
    assert_joined_exactly(replica, "auto_parts")
    assert len(manifests(replica.lake)) >= 3
    with psycopg.connect(replica.dsn) as connection:
        slots = connection.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
        assert slots.fetchall() == [("autocorp_lake",)]


def test_kills_during_reloads_lose_nothing_and_the_next_pass_serves_what_is_left(replica, run):
    run("INSERT INTO auto_parts (sku, name) SELECT 'k' || i, repeat('x', 200) FROM generate_series(1, 30000) i")
    replica.catch_up()
    with Traffic(replica.dsn):
        for moment in (0, 0.1, 0.25):
            request_reload(replica.state, "auto_parts")
            replica.start(flush=0.002)
            wait_for(lambda: (status := read_status(replica.state)) and status.is_alive and status.phase == "loading")
            time.sleep(moment)
            kill(replica)
    request = request_reload(replica.state, "auto_parts")
    replica.catch_up()

    assert is_served(request)
    assert not pending_requests(replica.state)
    assert_equal_to_source(replica.dsn, replica.lake)
    assert_joined_exactly(replica, "auto_parts")
    named = {name for m in manifests(replica.lake) for name in m["tables"].get("auto_parts", {}).get("files", [])}
    assert {path.name for path in (replica.lake / "raw/database/auto_parts").glob("LOAD*")} == named


def test_a_table_that_the_source_no_longer_has_is_set_aside_and_the_others_go_on(replica, run):
    run("INSERT INTO service VALUES ('a')")
    replica.catch_up()
    run("DROP TABLE sales_order_parts CASCADE")
    gone, strange, there = [request_reload(replica.state, t) for t in ("sales_order_parts", "orders", "service")]
    run("INSERT INTO service VALUES ('b')")
    replica.catch_up()
    run("INSERT INTO service VALUES ('c')")
    replica.catch_up()

    assert "the source has no table public.sales_order_parts" in str(ReloadRequest.read(gone.path))
    assert "there is no table orders; there are auto_parts" in str(ReloadRequest.read(strange.path))
    assert is_served(there)
    assert sorted(fold(replica.lake, "service")) == ["a", "b", "c"]
    assert [list(m["tables"]) for m in manifests(replica.lake)][1:] == [["service"]]
    request_reload(replica.state, "sales_order_parts")
    assert ReloadRequest.read(gone.path) is None, "asked again, the former answer is of no more use"


def test_a_load_that_the_source_refuses_is_set_aside_with_its_reason(replica, run):
    replica.catch_up()
    run("ALTER TABLE service ADD COLUMN dms_change_seq TEXT")
    request = request_reload(replica.state, "service")
    replica.catch_up()

    assert "names that raw files use themselves" in str(ReloadRequest.read(request.path))


def test_an_open_transaction_holds_up_the_load_and_not_the_stream(replica, run, monkeypatch):
    monkeypatch.setattr(reloads, "_PATIENCE_SECONDS", 0.3)
    replica.catch_up()
    with psycopg.connect(replica.dsn) as writer:
        writer.execute("INSERT INTO auto_parts VALUES ('p', 'Bolt')")
        request = request_reload(replica.state, "service")
        run("INSERT INTO service VALUES ('a')")
        replica.catch_up()
        assert list(fold(replica.lake, "service")) == ["a"]
        assert not is_served(request)
        assert any("waits until the transactions that are open" in text for text in replica.told)
    replica.catch_up()

    assert is_served(request)
    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_full_load_serves_what_was_asked_for(replica, run):
    request = request_reload(replica.state, "service")

    assert replica.catch_up().generation == 1
    assert is_served(request)


def test_truncations_and_reloads_of_one_table_keep_their_order(replica, run):
    run("INSERT INTO service VALUES ('a')")
    replica.catch_up()
    run("INSERT INTO service VALUES ('b')", "TRUNCATE service CASCADE", "INSERT INTO service VALUES ('c')")
    request_reload(replica.state, "service")
    replica.catch_up()
    run("INSERT INTO service VALUES ('d')", "TRUNCATE service CASCADE", "INSERT INTO service VALUES ('e')")
    replica.catch_up()

    generations = [m for m in manifests(replica.lake) if "service" in m["tables"]]
    assert [m["tables"]["service"]["rows"] for m in generations] == [1, 0, 1, 0]
    starts = [m["start_sequence"] for m in generations]
    assert starts == sorted(starts)
    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_stop_ends_the_wait_for_a_moment(replica, run):
    replica.catch_up()
    with psycopg.connect(replica.dsn) as writer:
        writer.execute("INSERT INTO auto_parts VALUES ('p', 'Bolt')")
        request_reload(replica.state, "service")
        child = replica.start()
        wait_for(lambda: (status := read_status(replica.state)) and status.is_alive and status.phase == "loading")
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    assert pending_requests(replica.state)
    assert position(replica.state)
