"""Raw is entered in the catalog after it has grown."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import dagster as dg

from autocorp_assets.resources.ports.alerts import Alerts
from autocorp_assets.resources.ports.crawler import Crawler, CrawlerError

TICK_SECONDS = 15 * 60
LEAST_SECONDS = 6 * 3600
"""Between two crawls. Glue charges at least 10 minutes of a DPU for each (0.44 USD an hour): hourly ones would cost
some 50 USD a month, these at most 9. A file in a folder that the catalog knows needs none: SQL engines list folders.
What waits is a new day's folder, a new table, a new column; analysts ask curated tables, which wait for nothing."""
SUBJECT = "AutoCorp: raw is not entered in the catalog"
OVER_SUBJECT = "AutoCorp: raw is not entered in the catalog: over"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the sensor knows when a tick begins. Times are seconds of the epoch."""

    news: int = 0
    """Storage id of the newest materialisation of raw that a crawl was started for."""
    started: float = 0.0
    """When a crawl was last started, by anybody, as far as is known."""
    watched: bool = False
    """A crawl was started whose end has not been seen."""
    told: bool = False
    """People know that crawls fail."""

    @classmethod
    def read(cls, text: str | None) -> Self:
        return cls(**json.loads(text)) if text else cls()

    def text(self) -> str:
        return json.dumps(asdict(self))


def raw_crawler_sensor(raw: Iterable[dg.AssetKey]) -> dg.SensorDefinition:
    """Starts the crawler at most once in LEAST_SECONDS, and only if raw has news; nobody lists S3 for that.

    Args:
        raw: assets of raw, whose materialisations are the news.
    """
    keys = tuple(raw)

    @dg.sensor(
        name="raw_crawler",
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the crawler that enters raw in the catalog, at most every six hours, after new files.",
    )
    def raw_crawler(
        context: dg.SensorEvaluationContext, crawler: dg.ResourceParam[Crawler], alerts: dg.ResourceParam[Alerts]
    ) -> dg.SensorResult:
        seen, reasons = Seen.read(context.cursor), []
        try:
            if seen.watched:
                seen, said = _look_after(seen, crawler, alerts)
                reasons.append(said)
            seen, said = _crawl_if_due(seen, newest_news(context.instance, keys), crawler, time.time())
            reasons.append(said)
        except CrawlerError as error:
            # A tick that fails keeps no cursor: it would tell people again, every time.
            context.log.error(str(error))
            seen = _tell(seen, str(error), alerts)
            reasons.append(str(error))
        return dg.SensorResult(skip_reason="; ".join(reasons), cursor=seen.text())

    return raw_crawler


def newest_news(instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]) -> int:
    """Storage id of the newest materialisation of any of these assets; 0 before there is one."""
    records = [record for key in keys for record in instance.fetch_materializations(key, limit=1).records]
    return max((record.storage_id for record in records), default=0)


def _crawl_if_due(seen: Seen, news: int, crawler: Crawler, now: float) -> tuple[Seen, str]:
    if news <= seen.news:
        return seen, "raw has no news since the last crawl"
    if now < seen.started + LEAST_SECONDS:
        return seen, f"the last crawl began less than {LEAST_SECONDS // 3600} hours ago"
    return _crawl(replace(seen, news=news), crawler, now)


def _crawl(seen: Seen, crawler: Crawler, now: float) -> tuple[Seen, str]:
    last = crawler.last()
    if last.is_running:
        # It may have passed some of the news by: they stay news, for the crawl after it.
        return replace(seen, news=0, started=now, watched=True), "the crawler runs already"
    if last.began is not None and now < last.began + LEAST_SECONDS:
        return replace(seen, news=0, started=last.began), "somebody else has started the crawler lately"
    crawler.start()
    return replace(seen, started=now, watched=True), "the crawler was started"


def _look_after(seen: Seen, crawler: Crawler, alerts: Alerts) -> tuple[Seen, str]:
    last = crawler.last()
    if last.is_running:
        return seen, "the crawler still runs"
    told = _tell(replace(seen, watched=False), last.failure, alerts)
    return told, last.failure or "the last crawl has succeeded"


def _tell(seen: Seen, failure: str | None, alerts: Alerts) -> Seen:
    """Tells people once that raw is not crawled, and once that it is again."""
    if failure and not seen.told:
        alerts.send(subject=SUBJECT, text=f"{failure}.\nCurated tables and their queries do not depend on it.")
    if not failure and seen.told:
        alerts.send(subject=OVER_SUBJECT, text="The last crawl of raw has succeeded.")
    return replace(seen, told=bool(failure))
