"""The crawler of raw: it is started, followed, and kept away from everything that is not raw."""

import pytest

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.raw_crawler import RawCrawler
from autocorp_assets.resources.ports.crawler import Crawl, CrawlerError
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.account import build_account
from autocorp_assets_tests.fakes.crawlers import crawls
from autocorp_assets_tests.fakes.faults import THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws


@pytest.fixture
def crawler(aws_settings: Settings) -> RawCrawler:
    build_account(aws_settings)
    return RawCrawler(name=aws_settings.aws.raw_crawler, lake=str(aws_settings.lake))


def test_one_that_was_never_started_has_no_last_crawl(crawler: RawCrawler):
    assert crawler.last() == Crawl(is_running=False)


def test_it_is_started_and_followed_through_throttling_and_a_5xx(aws: FakeAws, crawler: RawCrawler):
    aws.faults.add("glue", THROTTLED, UNAVAILABLE)

    crawler.start()

    assert crawler.last().is_running
    ended = crawler.last()
    assert (ended.is_running, ended.failure) == (False, None)
    assert ended.began is not None
    assert len(crawls.started) == 1


def test_one_that_runs_already_is_as_good(crawler: RawCrawler):
    crawler.start()
    crawler.start()

    assert len(crawls.started) == 1


def test_a_failure_is_told_with_its_reason_and_its_log(crawler: RawCrawler):
    crawls.looks, crawls.failures = 0, ["The role may not list s3://autocorp-test"]
    crawler.start()

    failure = crawler.last().failure

    assert failure is not None
    assert "The role may not list s3://autocorp-test; its log is /aws-glue/crawlers/autocorp-raw" in failure


def test_a_crawler_that_is_not_there_says_which_setting_names_it(aws: FakeAws, aws_settings: Settings):
    crawler = RawCrawler(name="autocorp-raw", lake=str(aws_settings.lake))

    for call in (crawler.last, crawler.start):
        with pytest.raises(CrawlerError, match=r"no crawler autocorp-raw .* AUTOCORP_AWS_RAW_CRAWLER"):
            call()


@pytest.mark.parametrize("path", ["curated", "", "raw-other", "processed/audit"])
def test_a_crawler_of_anything_but_raw_is_refused(aws: FakeAws, aws_settings: Settings, path: str):
    targets = {"S3Targets": [{"Path": f"{aws_settings.lake}/raw/csv/"}, {"Path": f"{aws_settings.lake}/{path}"}]}
    client("glue").create_crawler(Name="wide", Role="role", DatabaseName="autocorp_raw", Targets=targets)

    with pytest.raises(CrawlerError, match=r"crawls .*, which is not raw, so it is not started"):
        RawCrawler(name="wide", lake=str(aws_settings.lake)).last()
