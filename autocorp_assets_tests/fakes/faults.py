"""Faults that the server gives instead of an answer, or before it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
"""Signature version 4 names the service."""
HADOOP = "Hadoop"
"""In the user agent of S3A."""
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One answer that is not what was asked for; with status 0 only a delay."""

    status: int = 0
    code: str = ""
    seconds: float = 0.0
    """Before the answer."""


THROTTLED = Fault(status=400, code="ThrottlingException")
UNAVAILABLE = Fault(status=503, code="ServiceUnavailable")
EXPIRED = Fault(status=400, code="ExpiredTokenException")
SLOW = Fault(seconds=1.0)


@dataclass
class Faults:
    """WSGI middleware: counts requests by service and operation, and gives each pending fault once."""

    application: Application
    requests: Counter[str] = field(default_factory=Counter)
    """By `service:operation`; S3's operations are HTTP methods."""
    by_spark: Counter[str] = field(default_factory=Counter)
    """Those of them that a job's Hadoop file system made."""
    pending: defaultdict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    """By service or `service:operation`, in the order in which they are given."""

    def add(self, name: str, *faults: Fault) -> None:
        self.pending[name].extend(faults)

    def clear(self) -> None:
        self.requests.clear()
        self.by_spark.clear()
        self.pending.clear()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
        if found is None:
            return self.application(environ, start_response)
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rsplit(".", 1)[-1] or environ["REQUEST_METHOD"]
        name = f"{found[1]}:{operation}"
        self.requests[name] += 1
        self.by_spark[name] += HADOOP in environ.get("HTTP_USER_AGENT", "")
        fault = self._next(name) or self._next(found[1])
        if fault is None:
            return self.application(environ, start_response)
        time.sleep(fault.seconds)
        if not fault.status:
            return self.application(environ, start_response)
        return _refuse(fault, start_response, is_xml=found[1] in XML_SERVICES)

    def _next(self, name: str) -> Fault | None:
        return self.pending[name].pop(0) if self.pending.get(name) else None


XML_SERVICES = ("s3", "sns", "sts", "iam")


def _refuse(fault: Fault, start_response: Callable[..., Any], *, is_xml: bool) -> list[bytes]:
    message = f"injected {fault.code}"
    if is_xml:
        error = f"<Error><Code>{fault.code}</Code><Message>{message}</Message></Error>"
        start_response(f"{fault.status} Fault", [("Content-Type", "application/xml")])
        return [f"<ErrorResponse>{error}</ErrorResponse>".encode()]
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", fault.code)]
    start_response(f"{fault.status} Fault", headers)
    return [json.dumps({"__type": fault.code, "message": message}).encode()]
