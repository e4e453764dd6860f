"""Requests to AWS of the aws deployment, idle and busy: they cost money, fewer is better.

`autocorp dev` runs against the stand-in for AWS that the tests have, at its usual pace, after one pass has loaded
everything. Only the requests are counted: time means nothing there. Checks of whole tables and transfers run at fixed
minutes of the hour (:07, :17, :20), so a window of less than an hour holds each of them once or not at all.

    .venv/bin/python -m benchmarks.aws_requests --idle 60 --busy 60
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import tempfile
import time
from collections import Counter
from pathlib import Path

import requests

from autocorp_assets.local.generator.traffic import simulate
from autocorp_assets.settings import Settings
from autocorp_assets_tests.e2e.aws_platform import AwsPlatform, aws_platform
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws, run_server

READY_SECONDS = 180
ORDERS_PER_MINUTE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=float, default=60, help="minutes without a change")
    parser.add_argument("--busy", type=float, default=60, help="minutes of orders")
    arguments = parser.parse_args()
    with run_server() as aws, tempfile.TemporaryDirectory() as folder:
        os.environ.update(aws.environment, AUTOCORP_AWS_LAKE=f"s3://{LAKE_BUCKET}/lake")
        aws.make_bucket(LAKE_BUCKET)
        settings = Settings(deployment="aws", home=Path(folder))
        with aws_platform(aws, settings, Path(folder)) as platform:
            report = platform.deployed.sync()
            first = counted(aws)
            if not report["ok"]:
                raise SystemExit(f"the first pass failed: {report}")
            print(json.dumps({"first_pass": first, **measured(platform, aws, arguments)}))  # noqa: T201


def measured(platform: AwsPlatform, aws: FakeAws, arguments: argparse.Namespace) -> dict[str, object]:
    """Requests by service while `autocorp dev` runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dev = platform.deployed.start("dev", "--port", str(port), output=platform.deployed.path / "dev.log")
    try:
        _wait_until_ready(port)
        aws.faults.requests.clear()
        aws.faults.by_spark.clear()
        time.sleep(arguments.idle * 60)
        idle = counted(aws)
        orders = round(ORDERS_PER_MINUTE * arguments.busy)
        if orders:
            simulate(platform.dsn, orders=orders, seed=3, rate=ORDERS_PER_MINUTE / 60)
        return {"idle_minutes": arguments.idle, "idle": idle, "busy_minutes": arguments.busy, "busy": counted(aws)}
    finally:
        dev.send_signal(signal.SIGINT)
        dev.wait(60)


def counted(aws: FakeAws) -> dict[str, dict[str, int]]:
    """Requests since the last call, by operation; those of Spark's own file system apart."""
    asked, by_spark = Counter(aws.faults.requests), Counter(aws.faults.by_spark)
    aws.faults.requests.clear()
    aws.faults.by_spark.clear()
    ours = asked - by_spark
    return {"ours": dict(sorted(ours.items())), "spark": dict(sorted((+by_spark).items()))}


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(f"http://127.0.0.1:{port}/server_info", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(1)
    raise SystemExit("autocorp dev did not come up")


if __name__ == "__main__":
    main()
