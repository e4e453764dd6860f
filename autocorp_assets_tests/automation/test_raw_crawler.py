"""Raw is crawled after news, not often, and people are told once when that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import dagster as dg
import pytest

from autocorp_assets.asset_keys import raw_feed_key, raw_table_key
from autocorp_assets.automation.raw_crawler import LEAST_SECONDS, Seen, raw_crawler_sensor
from autocorp_assets.resources.ports.crawler import Crawl, CrawlerError

PARTS, CUSTOMERS = raw_table_key("auto_parts"), raw_feed_key("customers")


@dataclass
class Glue:
    """A crawler, and who is told of it."""

    state: Crawl = field(default_factory=lambda: Crawl(is_running=False))
    starts: int = 0
    looks: int = 0
    alerts: list[str] = field(default_factory=list)

    def last(self) -> Crawl:
        self.looks += 1
        return self.state

    def start(self) -> None:
        self.starts += 1
        self.state = replace(self.state, is_running=True)

    def send(self, *, subject: str, text: str) -> None:
        self.alerts.append(f"{subject}: {text}")

    def end(self, failure: str | None = None) -> None:
        self.state = Crawl(is_running=False, began=time.time(), failure=failure)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def glue() -> Glue:
    return Glue()


def report(instance: dg.DagsterInstance, key: dg.AssetKey) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=key))


def tick(instance: dg.DagsterInstance, glue: Glue, cursor: str | None = None) -> str:
    resources = {"crawler": glue, "alerts": glue}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        result = raw_crawler_sensor([PARTS, CUSTOMERS])(context)
    assert isinstance(result, dg.SensorResult)
    assert result.cursor is not None
    return result.cursor


def hours_later(cursor: str) -> str:
    seen = Seen.read(cursor)
    return replace(seen, started=seen.started - LEAST_SECONDS).text()


def test_without_news_nobody_is_asked(instance, glue):
    tick(instance, glue, tick(instance, glue))

    assert (glue.starts, glue.looks) == (0, 0)


@pytest.mark.parametrize("key", [PARTS, CUSTOMERS])
def test_news_of_a_table_or_a_feed_start_one_crawl(instance, glue, key):
    report(instance, key)

    cursor = tick(instance, glue)
    glue.end()
    for _ in range(3):
        cursor = tick(instance, glue, cursor)

    assert glue.starts == 1
    assert glue.looks == 2, "once before the start, once to see how it ended"


def test_more_news_wait_until_hours_have_passed(instance, glue):
    report(instance, PARTS)
    cursor = tick(instance, glue)
    glue.end()
    report(instance, PARTS)
    cursor = tick(instance, glue, cursor)
    assert glue.starts == 1
    glue.state = replace(glue.state, began=time.time() - LEAST_SECONDS - 1)

    cursor = tick(instance, glue, hours_later(cursor))

    assert glue.starts == 2


def test_hours_alone_start_nothing(instance, glue):
    report(instance, PARTS)
    cursor = tick(instance, glue)
    glue.end()
    cursor = tick(instance, glue, cursor)

    tick(instance, glue, hours_later(cursor))

    assert glue.starts == 1


def test_a_crawl_that_somebody_else_has_started_counts_and_its_news_are_not_lost(instance, glue):
    report(instance, PARTS)
    glue.state = Crawl(is_running=False, began=time.time() - 60)
    cursor = tick(instance, glue)
    assert glue.starts == 0

    glue.state = Crawl(is_running=False, began=time.time() - LEAST_SECONDS - 1)
    tick(instance, glue, hours_later(cursor))

    assert glue.starts == 1


def test_people_are_told_once_that_crawls_fail_and_once_that_it_is_over(instance, glue):
    report(instance, PARTS)
    cursor = tick(instance, glue)
    for failure in ("the role may not list", "the role may not list", None, None):
        glue.end(failure)
        cursor = tick(instance, glue, cursor)
        report(instance, PARTS)
        glue.state = replace(glue.state, began=0.0)
        cursor = tick(instance, glue, hours_later(cursor))

    assert glue.starts == 5
    first, second = glue.alerts
    assert first.startswith("AutoCorp: raw is not entered in the catalog: the role may not list")
    assert second.startswith("AutoCorp: raw is not entered in the catalog: over")


def refuse(*_: object) -> Crawl:
    raise CrawlerError("it crawls curated")


def test_a_crawler_that_cannot_be_used_is_told_once_and_its_news_are_kept(instance, glue, monkeypatch):
    report(instance, PARTS)
    with monkeypatch.context() as patch:
        patch.setattr(glue, "last", refuse)
        cursor = tick(instance, glue)
        cursor = tick(instance, glue, cursor)
    assert glue.alerts == [
        "AutoCorp: raw is not entered in the catalog: it crawls curated.\n"
        "Curated tables and their queries do not depend on it."
    ]

    cursor = tick(instance, glue, cursor)
    glue.end()
    tick(instance, glue, cursor)

    assert glue.starts == 1
    assert glue.alerts[1].startswith("AutoCorp: raw is not entered in the catalog: over")


def test_a_failure_that_was_told_is_not_told_again_when_the_next_start_is_refused(instance, glue, monkeypatch):
    report(instance, PARTS)
    cursor = tick(instance, glue)
    report(instance, PARTS)
    glue.state = Crawl(is_running=False, began=0.0, failure="the role may not list")
    monkeypatch.setattr(glue, "start", refuse)
    cursor = hours_later(cursor)

    for _ in range(3):
        cursor = tick(instance, glue, cursor)

    assert len(glue.alerts) == 1
