"""What query engines know of the raw zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Crawl:
    """What a crawler last did."""

    is_running: bool
    began: float | None = None
    """When its last crawl that has ended began, in seconds of the epoch."""
    failure: str | None = None
    """Why that one failed, and what to do."""


class CrawlerError(RuntimeError):
    """The crawler cannot be used; the message says why and what to do."""


class Crawler(Protocol):
    """Enters raw files in the catalog. Both methods raise CrawlerError."""

    def last(self) -> Crawl: ...

    def start(self) -> None:
        """Returns at once, also when it runs already."""
        ...
