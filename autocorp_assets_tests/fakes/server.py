"""One moto server, with the extensions of this package, in a thread of the test process.

It is reached as AWS is: by boto3, pyarrow, hudi-rs, delta-rs and Hadoop's S3A over HTTP, by subprocesses too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from autocorp_assets.resources.aws.clients import client
from autocorp_assets_tests.fakes import athena, crawlers, datasync, dms, glue, iam, s3
from autocorp_assets_tests.fakes.faults import Faults

REGION = "eu-central-1"
ACCOUNT = "123456789012"
"""moto's."""
HOST = "127.0.0.1"
LAKE_BUCKET = "autocorp-test"


@dataclass(frozen=True, kw_only=True)
class FakeAws:
    """A running server."""

    url: str
    faults: Faults

    def forget_everything(self) -> None:
        """Empty every service, and give no more faults."""
        dms.DMS.close()
        crawlers.crawls.forget()
        requests.post(f"{self.url}/moto-api/reset", timeout=10).raise_for_status()
        self.faults.clear()

    def make_bucket(self, name: str) -> None:
        """Versioned, as the lake's bucket is."""
        s3 = client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    @property
    def environment(self) -> dict[str, str]:
        """Under which boto3, pyarrow, hudi-rs and delta-rs talk to it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class Dispatcher(DomainDispatcherApplication):
    """moto's, but it finds the service of a host once: moto lists its own folder twice for each request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._backends = cache(super().get_backend_for_host)

    def get_backend_for_host(self, host: str | None) -> Any:
        return self._backends(host)


@contextmanager
def run_server() -> Generator[FakeAws]:
    """Serve on a free port of the loopback until the end of the block."""
    # Its log has a line for each of thousands of requests.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    athena.install()
    dms.install()
    glue.install()
    crawlers.install()
    iam.install()
    s3.install()
    datasync.install()
    faults = Faults(Dispatcher())
    server = make_server(HOST, 0, faults, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, name="fake-aws", daemon=True)
    thread.start()
    try:
        yield FakeAws(url=f"http://{HOST}:{server.server_port}", faults=faults)
    finally:
        dms.DMS.close()
        glue.glue_jobs.forget()
        server.shutdown()
        thread.join()
