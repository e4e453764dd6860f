"""Glue's crawler, which enters raw in the catalog for who wants to see what a source or an export said.

Facts: API reference of Glue (botocore's model): states READY, RUNNING, STOPPING; LastCrawl is the last one that has
ended, SUCCEEDED, CANCELLED or FAILED.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from autocorp_assets.contracts.raw_format import RAW_DATABASE
from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.ports.crawler import Crawl, CrawlerError

RAW = RAW_DATABASE.partition("/")[0]
"""The zone's folder below the lake's root."""


@dataclass(frozen=True, kw_only=True)
class RawCrawler:
    """Crawler of raw only: curated tables enter themselves, and a crawler would spoil their entries."""

    name: str
    lake: str
    """URL of the lake's root."""

    def last(self) -> Crawl:
        with self._told():
            found = client("glue").get_crawler(Name=self.name)["Crawler"]
        self._refuse_other_targets(found)
        last = found.get("LastCrawl") or {}
        return Crawl(
            is_running=found.get("State") != "READY",
            began=last["StartTime"].timestamp() if "StartTime" in last else None,
            failure=_failure(self.name, last) if last.get("Status") == "FAILED" else None,
        )

    def start(self) -> None:
        glue = client("glue")
        with self._told():
            try:
                glue.start_crawler(Name=self.name)
            except glue.exceptions.CrawlerRunningException:
                # Somebody else was first, and it sees the same files.
                return

    def _refuse_other_targets(self, crawler: Mapping[str, Any]) -> None:
        raw = f"{self.lake}/{RAW}/"
        targets = crawler.get("Targets") or {}
        named = [target.get("Path", "") for target in targets.get("S3Targets") or ()]
        others = [path for path in named if not f"{path.rstrip('/')}/".startswith(raw)]
        others += [kind for kind, of in targets.items() if of and kind != "S3Targets"]
        if others:
            raise CrawlerError(
                f"crawler {self.name} crawls {', '.join(others)}, which is not raw, so it is not started: it would "
                f"change how tables are entered that enter themselves. Give it targets below {raw} only"
            )

    @contextmanager
    def _told(self) -> Generator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (ClientError, BotoCoreError) as error:
            if getattr(error, "response", {}).get("Error", {}).get("Code") == "EntityNotFoundException":
                raise CrawlerError(
                    f"there is no crawler {self.name} in this account and region: create it (the infrastructure does), "
                    "or name another in AUTOCORP_AWS_RAW_CRAWLER"
                ) from error
            raise CrawlerError(f"crawler {self.name}: {explain(error)}") from error


def _failure(name: str, last: Mapping[str, Any]) -> str:
    why = last.get("ErrorMessage") or "Glue says no reason"
    log = "/".join(last[key] for key in ("LogGroup", "LogStream") if key in last)
    where = f"its log is {log}" if log else "see its log in Glue's console"
    return f"crawler {name} failed: {why}; {where}. Mend it there: it is started again with new raw files"
