"""`autocorp dev`: the platform runs by itself, and stops when it is told to."""

from __future__ import annotations

import signal
import socket
from contextlib import closing

import psycopg
import pytest
import requests

from autocorp_assets.local.source.connection import open_source
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets_tests.e2e.data_folder import DataFolder, end, free_port, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.timeout(300)]

READY_WITHIN_SECONDS = 90
VISIBLE_WITHIN_SECONDS = 120
"""Far above what it takes: the machine of a test may be busy. benchmarks/freshness.py measures."""
STOPPED_WITHIN_SECONDS = 60


def test_a_change_in_the_source_shows_in_a_query_without_a_click(folder: DataFolder, tmp_path):
    port, output = free_port(), tmp_path / "dev.log"
    platform = folder.start("dev", "--port", str(port), output=output)
    wait_for(lambda: b"ready:" in output.read_bytes(), seconds=READY_WITHIN_SECONDS, what=output.read_text)

    assert requests.get(f"http://127.0.0.1:{port}/server_info", timeout=10).json()["dagster_webserver_version"]
    with open_source(folder.settings) as source, psycopg.connect(source.dsn) as connection:
        connection.execute("UPDATE sales_order SET status = 'seen by the lake' WHERE order_id = 1")
    lake = LakeQuery(folder.settings.lake_folder)
    wait_for(
        lambda: list(lake.run("SELECT order_id FROM sales_order WHERE status = 'seen by the lake'").rows()) == [(1,)],
        seconds=VISIBLE_WITHIN_SECONDS,
        what=lambda: output.read_text() + (folder.settings.logs_folder / "dagster.log").read_text()[-4000:],
    )

    second = folder.run("dev", "--port", str(free_port()))
    assert second.returncode == 1
    assert "already runs" in second.stderr

    assert end(platform, signal.SIGINT, seconds=STOPPED_WITHIN_SECONDS) == 0, output.read_text()
    assert "stopped" in output.read_text()
    folder.assert_nothing_runs(within_seconds=2)


def test_a_port_in_use_is_an_error_before_anything_starts(folder: DataFolder):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = folder.run("dev", "--port", str(taken.getsockname()[1]))

    assert ended.returncode == 1
    assert "--port" in ended.stderr
    folder.assert_nothing_runs()
