"""The crawlers of the fake obey what AWS documents."""

import pytest
from moto.glue.models import FakeCrawler

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes import crawlers
from autocorp_assets_tests.fakes.account import build_account
from autocorp_assets_tests.fakes.crawlers import crawls
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws


def test_what_is_patched_still_exists_and_is_in_place(aws: FakeAws):
    for function in crawlers.PATCHED:
        assert vars(FakeCrawler)[function.__name__] is function


def test_a_crawl_runs_ends_and_is_the_last_one(aws: FakeAws, aws_settings: Settings):
    build_account(aws_settings)
    glue, name = client("glue"), aws_settings.aws.raw_crawler
    assert "LastCrawl" not in glue.get_crawler(Name=name)["Crawler"]
    crawls.failures.append("Access Denied")

    glue.start_crawler(Name=name)
    with pytest.raises(glue.exceptions.CrawlerRunningException):
        glue.start_crawler(Name=name)

    assert glue.get_crawler(Name=name)["Crawler"]["State"] == "RUNNING"
    ended = glue.get_crawler(Name=name)["Crawler"]
    assert (ended["State"], ended["LastCrawl"]["Status"]) == ("READY", "FAILED")
    assert ended["LastCrawl"]["ErrorMessage"] == "Access Denied"
