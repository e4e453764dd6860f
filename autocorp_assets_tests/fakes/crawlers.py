"""Glue's crawlers as AWS documents them: READY, RUNNING, STOPPING; LastCrawl is of the last one that has ended.

moto ends a crawl when somebody lists it, calls it COMPLETED, which is no status of LastCrawl, and knows no failure.
Nothing is entered in any catalog here: what a crawler makes of raw is not proven.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.glue.exceptions import CrawlerRunningException
from moto.glue.models import FakeCrawler

_AS_DICT = FakeCrawler.as_dict


@dataclass
class Crawls:
    """What the test says of the crawls to come, and what was started."""

    looks: int = 1
    """How often a crawl is seen running before it ends."""
    failures: list[str] = field(default_factory=list)
    """Messages, each of one crawl, in the order of their starts."""
    started: list[str] = field(default_factory=list)
    """Names of crawlers."""
    last: dict[str, dict[str, Any]] = field(default_factory=dict)
    """LastCrawl by crawler."""
    running: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    """When it began, and how many looks are left, by crawler."""

    def forget(self) -> None:
        self.__init__()


crawls = Crawls()
"""Of this process's server; `FakeAws.forget_everything` empties it."""


def start_crawler(self: FakeCrawler) -> None:
    if self.name in crawls.running:
        raise CrawlerRunningException(f"Crawler with name {self.name} has already started")
    crawls.started.append(self.name)
    crawls.running[self.name] = (datetime.now(UTC), crawls.looks)


def as_dict(self: FakeCrawler) -> dict[str, Any]:
    """The shape Crawler; a look at one that runs brings it nearer to its end."""
    if self.name in crawls.running:
        began, looks = crawls.running[self.name]
        if looks > 0:
            crawls.running[self.name] = (began, looks - 1)
        else:
            del crawls.running[self.name]
            crawls.last[self.name] = _ended(self.name, began)
    last = crawls.last.get(self.name)
    state = "RUNNING" if self.name in crawls.running else "READY"
    return {**_AS_DICT(self), "State": state, **({"LastCrawl": last} if last else {})}


def _ended(name: str, began: datetime) -> dict[str, Any]:
    error = crawls.failures.pop(0) if crawls.failures else None
    said = {"Status": "FAILED", "ErrorMessage": error} if error else {"Status": "SUCCEEDED"}
    log = {"LogGroup": "/aws-glue/crawlers", "LogStream": name, "MessagePrefix": "c0ffee"}
    return {**said, **log, "StartTime": began}


PATCHED = (start_crawler, as_dict)


def install() -> None:
    """Once for a process."""
    for function in PATCHED:
        setattr(FakeCrawler, function.__name__, function)
