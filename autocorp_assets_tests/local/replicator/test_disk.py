"""A disk that is full for a while, and one that loses what was not flushed."""

from __future__ import annotations

import pytest

from autocorp_assets.local.replicator.checkpoint import ReplicationError
from autocorp_assets.local.replicator.status import position
from autocorp_assets_tests.durability import Flushed
from autocorp_assets_tests.full_disk import full_disk
from autocorp_assets_tests.local.replicator.raw_reader import assert_equal_to_source, manifests


@pytest.mark.parametrize("room", [0, 900], ids=["for nothing", "for the checkpoint"])
def test_a_full_disk_loses_nothing_says_what_to_do_and_is_got_over(replica, run, room):
    run("INSERT INTO service SELECT i FROM generate_series(1, 200) i")
    with full_disk(room_bytes=room), pytest.raises(ReplicationError, match="make room on the disk"):
        replica.catch_up()
    assert position(replica.state) is None
    replica.catch_up()
    run("UPDATE service SET category = 'a'", "DELETE FROM service WHERE serviceid < '2'")
    before = position(replica.state)
    with full_disk(room_bytes=room), pytest.raises(ReplicationError, match="make room on the disk"):
        replica.catch_up()
    assert position(replica.state) == before
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)
    assert len(manifests(replica.lake)) == 1


def test_what_is_committed_survives_a_power_cut(replica, run, monkeypatch):
    flushed = Flushed(monkeypatch)
    run("INSERT INTO service VALUES ('a')")
    replica.catch_up()
    run("INSERT INTO service VALUES ('b')", "TRUNCATE service_parts")
    replica.catch_up()

    assert flushed.missing(replica.lake, "**/*.parquet", "**/*.json") == []
    assert flushed.missing(replica.state, "checkpoint.json") == []
