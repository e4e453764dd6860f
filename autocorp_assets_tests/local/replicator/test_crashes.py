"""`kill -9` at any moment, under writes: no change is lost, none is written twice."""

from __future__ import annotations

import random
import signal
import threading
import time

import psycopg
import pytest

from autocorp_assets.local.replicator.status import position, read_status
from autocorp_assets_tests.local.replicator.conftest import Replica, wait_for
from autocorp_assets_tests.local.replicator.raw_reader import assert_equal_to_source, manifests, read_raw


class Traffic:
    """Writes small transactions over three tables until told to stop."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.transactions = 0

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        chance = random.Random(7)
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._stop.is_set():
                with connection.transaction():
                    for _ in range(chance.randint(1, 8)):
                        self._change(connection, f"k{chance.randint(1, 300)}", chance)
                self.transactions += 1

    def _change(self, connection: psycopg.Connection, key: str, chance: random.Random) -> None:
        minutes = chance.randint(0, 999)
        match chance.randint(0, 4):
            case 0:
                connection.execute("DELETE FROM auto_parts WHERE sku = %s", [key])
            case 1:
                connection.execute(
                    "UPDATE service SET serviceid = serviceid || 'x' WHERE serviceid = %s"
                    " AND NOT EXISTS (SELECT FROM service WHERE serviceid = %s)",
                    [key, f"{key}x"],
                )
            case 2:
                connection.execute(
                    "INSERT INTO service (serviceid, labor_minutes) VALUES (%s, %s)"
                    " ON CONFLICT (serviceid) DO UPDATE SET labor_minutes = excluded.labor_minutes",
                    [key, minutes],
                )
            case _:
                connection.execute(
                    "INSERT INTO auto_parts (sku, name, price) VALUES (%s, 'Bolt', %s)"
                    " ON CONFLICT (sku) DO UPDATE SET price = excluded.price",
                    [key, minutes],
                )


def kill(replica: Replica) -> None:
    replica.children[-1].send_signal(signal.SIGKILL)
    replica.children[-1].wait()


def test_load_and_changes_meet_without_gap_or_overlap(replica, run):
    run("INSERT INTO auto_parts (sku, name) SELECT 'k' || i, repeat('x', 200) FROM generate_series(1, 60000) i")
    with Traffic(replica.dsn) as traffic:
        replica.start()
        wait_for(lambda: position(replica.state))
        written = traffic.transactions
        wait_for(lambda: traffic.transactions > written + 100)
    kill(replica)
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)
    assert read_raw(replica.lake, "auto_parts").changes


def test_kills_while_streaming(replica):
    chance = random.Random(11)
    replica.catch_up()
    with Traffic(replica.dsn):
        for _ in range(8):
            before = position(replica.state)
            replica.start(flush=0.002)
            wait_for(lambda before=before: position(replica.state) != before)
            time.sleep(chance.uniform(0, 0.15))
            kill(replica)
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)
    assert len(manifests(replica.lake)) == 1


def test_kills_while_loading(replica, run):
    run("INSERT INTO auto_parts (sku, name) SELECT 'k' || i, repeat('x', 200) FROM generate_series(1, 150000) i")
    with Traffic(replica.dsn):
        for moment in (0, 0.15, 0.3, 0.45):
            replica.start()
            wait_for(lambda: (status := read_status(replica.state)) and status.is_alive and status.phase == "loading")
            time.sleep(moment)
            kill(replica)
            assert position(replica.state) is None
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)
    folder = replica.lake / "raw/database/auto_parts"
    named = {name for m in manifests(replica.lake) for name in m["tables"]["auto_parts"]["files"]}
    assert {path.name for path in folder.glob("LOAD*")} == named


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_everything_written(replica, run, number):
    child = replica.start(flush=30)
    wait_for(lambda: (status := read_status(replica.state)) and status.phase == "streaming")
    run("INSERT INTO service VALUES ('a')")
    time.sleep(0.3)  # received, but not old enough to be written by itself
    child.send_signal(number)

    assert child.wait(10) == 0
    assert_equal_to_source(replica.dsn, replica.lake)
    status = read_status(replica.state)
    assert status is not None
    assert status.phase == "stopped"
