"""Exports get into raw by DataSync whole, once, and again when they were corrected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autocorp_assets.contracts import FEEDS
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.aws import feed_receipts
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.datasync_transfer import DatasyncTransfer
from autocorp_assets.resources.ports.transfer import EndedTransfer, TransferFailed, TransferOutcome
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.datasync import Failure, advance, controls, make_task, take_agent_offline
from autocorp_assets_tests.fakes.faults import EXPIRED, THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

FEED = "customers"
NAME = "customers-20241121.csv"
CONTENT = "first_name,last_name\nAda,Lovelace\n"
LATER = "first_name,last_name\nAda,Byron...\n"
LAKE = f"s3://{LAKE_BUCKET}/lake"
LANDING = f"s3://{LAKE_BUCKET}/landing"


class Shop:
    """A share behind DataSync's agent, its task, and the lake."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder = folder / "exports"
        self.folder.mkdir()
        self.task = make_task(FEED, source=self.folder, lake=LAKE)
        self.transfers = DatasyncTransfer(settings=settings, poll_seconds=0.001)
        self.progress: list[str] = []

    def put(self, content: str, name: str = NAME) -> None:
        (self.folder / name).write_text(content)

    def transfer(self, **arguments: Any) -> TransferOutcome:
        return self.transfers.transfer(FEED, on_progress=self.progress.append, **arguments)

    def start(self) -> str:
        return client("datasync").start_task_execution(TaskArn=self.task)["TaskExecutionArn"]


@pytest.fixture
def shop(aws_settings: Settings, tmp_path: Path) -> Shop:
    return Shop(aws_settings, tmp_path)


@pytest.fixture
def landing(aws_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> DatasyncTransfer:
    """A transfer whose exports arrive in S3."""
    monkeypatch.setenv("AUTOCORP_AWS_LANDING", LANDING)
    for feed in FEEDS:
        includes = [{"FilterType": "SIMPLE_PATTERN", "Value": f"/{feed}-*"}]
        make_task(feed, source=LANDING, lake=LAKE, Includes=includes)
    return DatasyncTransfer(settings=Settings(deployment="aws", home=aws_settings.home), poll_seconds=0.001)


def visible() -> list[str]:
    return [delivery.name for delivery in LakeStorage(LAKE).deliveries(FEED)]


def receipt() -> dict[str, Any]:
    answer = client("s3").get_object(Bucket=LAKE_BUCKET, Key=f"lake/raw/csv/_receipts/{FEED}/{NAME}.json")
    return json.loads(answer["Body"].read())


def superseded() -> dict[str, str]:
    prefix = f"lake/raw/csv/_superseded/{FEED}/"
    found = client("s3").list_objects_v2(Bucket=LAKE_BUCKET, Prefix=prefix).get("Contents", [])
    read = {
        entry["Key"]: client("s3").get_object(Bucket=LAKE_BUCKET, Key=entry["Key"])["Body"].read() for entry in found
    }
    return {key.removeprefix(prefix): content.decode() for key, content in read.items()}


def arrive(name: str, content: str) -> None:
    client("s3").put_object(Bucket=LAKE_BUCKET, Key=f"landing/{name}", Body=content.encode())


def ignore(line: str) -> None:
    """Progress that nobody reads."""


def test_an_export_becomes_a_visible_delivery_and_datasync_is_reported(shop: Shop):
    shop.put(CONTENT)

    outcome = shop.transfer()

    assert (outcome.transferred, outcome.bytes, dict(outcome.ignored)) == ((NAME,), len(CONTENT), {})
    assert outcome.details["files_transferred"] == 1
    assert outcome.details["bytes_written"] == len(CONTENT)
    assert str(outcome.details["execution"]).startswith(shop.task)
    told = "\n".join(shop.progress)
    assert all(phase in told for phase in ("QUEUED", "PREPARING", "TRANSFERRING", "VERIFYING", "SUCCESS"))
    head = client("s3").head_object(Bucket=LAKE_BUCKET, Key=f"lake/raw/csv/{FEED}/{NAME}")
    written = receipt()
    assert (written["size"], written["sha256"]) == (len(CONTENT), head["ETag"].strip('"'))
    assert written["version_id"] == head["VersionId"]
    assert visible() == [NAME]


def test_what_is_known_is_not_transferred_again(shop: Shop):
    shop.put(CONTENT)
    shop.transfer()
    before = receipt()

    assert shop.transfer().transferred == ()
    assert receipt() == before


def test_a_correction_under_the_same_name_replaces_the_delivery_and_the_old_content_is_kept(shop: Shop):
    shop.put(CONTENT)
    shop.transfer()
    (old,) = LakeStorage(LAKE).deliveries(FEED)
    shop.put(LATER)

    assert shop.transfer().transferred == (NAME,)

    (new,) = LakeStorage(LAKE).deliveries(FEED)
    assert new.etag != old.etag
    assert superseded() == {f"{old.etag}-{NAME}": CONTENT}


def test_content_in_parts_has_an_etag_that_is_no_digest_and_is_kept_aside_as_well(shop: Shop):
    controls().part_bytes = 8
    shop.put(CONTENT)
    shop.transfer()
    shop.put(LATER)
    shop.transfer()

    (name,) = superseded()
    assert name.endswith(f"-5-{NAME}")


def test_without_versions_the_lost_content_is_told(shop: Shop):
    client("s3").put_bucket_versioning(Bucket=LAKE_BUCKET, VersioningConfiguration={"Status": "Suspended"})
    shop.put(CONTENT)
    shop.transfer()
    shop.put(LATER)

    outcome = shop.transfer()

    assert outcome.transferred == (NAME,)
    assert "keeps no versions" in outcome.remarks[0]


@pytest.mark.parametrize("step", ["take", "look", "_write_receipt"])
def test_a_transfer_that_was_killed_is_completed_by_the_next_although_datasync_has_nothing_to_do(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str
):
    shop.put(CONTENT)
    shop.transfer()
    shop.put(LATER)
    with monkeypatch.context() as patch:
        patch.setattr(feed_receipts, step, killed)
        with pytest.raises(KeyboardInterrupt):
            shop.transfer()

    outcome = shop.transfer()

    assert outcome.details["files_transferred"] == 0
    assert outcome.transferred == (NAME,)
    assert [*superseded().values()] == [CONTENT]


def killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_transfer_joins_the_execution_that_goes_on_and_starts_one_more_for_what_came_after_its_listing(shop: Shop):
    shop.put(CONTENT)
    running = shop.start()
    assert advance(running, until="TRANSFERRING") == "TRANSFERRING"
    shop.put(LATER, "customers-20241122.csv")

    outcome = shop.transfer()

    assert outcome.transferred == (NAME, "customers-20241122.csv")
    assert running in "\n".join(shop.progress)
    assert outcome.details["execution"] != running


def test_an_execution_that_has_not_listed_its_source_yet_is_enough(aws: FakeAws, shop: Shop):
    running = shop.start()
    advance(running)
    shop.put(CONTENT)

    outcome = shop.transfer()

    assert outcome.details["execution"] == running
    assert outcome.transferred == (NAME,)
    assert aws.faults.requests["datasync:StartTaskExecution"] == 2


def test_two_transfers_at_once_report_a_delivery_once(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.put(CONTENT)
    look = feed_receipts.look
    outcomes = []

    def look_and_be_overtaken(*arguments: Any) -> feed_receipts.FeedObjects:
        found = look(*arguments)
        monkeypatch.setattr(feed_receipts, "look", look)
        outcomes.append(shop.transfer())
        return found

    monkeypatch.setattr(feed_receipts, "look", look_and_be_overtaken)
    outcomes.append(shop.transfer())

    assert sorted(outcome.transferred for outcome in outcomes) == [(), (NAME,)]
    assert visible() == [NAME]


def test_a_failed_execution_says_code_detail_and_what_to_do_and_nothing_becomes_visible(shop: Shop):
    shop.put(CONTENT)
    controls().failures.append(Failure(phase="VERIFYING", code="VerifyFailed", detail="checksum mismatch"))

    with pytest.raises(TransferFailed, match=r"customers: .*VerifyFailed: checksum mismatch.*changed meanwhile"):
        shop.transfer()
    assert visible() == []

    assert shop.transfer().transferred == (NAME,)


def test_a_cancelled_execution_is_told(shop: Shop):
    running = shop.start()
    client("datasync").cancel_task_execution(TaskExecutionArn=running)
    advance(running)

    with pytest.raises(TransferFailed, match="was cancelled, or says no reason"):
        shop.transfer(ended=running)


def test_a_task_that_does_not_verify_is_refused(aws_settings: Settings, shop: Shop):
    shop.task = make_task(FEED, source=shop.folder, lake=LAKE, name="careless", Options={"VerifyMode": "NONE"})
    settings = aws_settings.aws.model_copy(update={"transfer_tasks": {FEED: "careless"}})
    aws_settings.__dict__["aws"] = settings
    shop.put(CONTENT)

    with pytest.raises(TransferFailed, match="set its VerifyMode"):
        DatasyncTransfer(settings=aws_settings, poll_seconds=0.001).transfer(FEED, on_progress=ignore)
    assert visible() == []


def test_an_execution_that_never_ends_has_a_deadline(aws_settings: Settings, shop: Shop):
    controls().phases_a_describe = 0
    slow = DatasyncTransfer(settings=aws_settings, poll_seconds=0.01, deadline_seconds=0.1)

    with pytest.raises(TransferFailed, match=r"is still QUEUED after 0 minutes.*next transfer joins it"):
        slow.transfer(FEED, on_progress=ignore)


def test_a_task_whose_agent_is_offline_says_so(shop: Shop):
    take_agent_offline(shop.task)

    with pytest.raises(TransferFailed, match=r"customers: .*UNAVAILABLE.*agent is most likely offline"):
        shop.transfer()


def test_a_missing_task_says_how_to_name_it(shop: Shop):
    with pytest.raises(TransferFailed, match=r"autocorp-sales_orders there is none.*AUTOCORP_AWS_TRANSFER_TASKS"):
        shop.transfers.transfer("sales_orders", on_progress=ignore)


def test_a_task_is_found_on_any_page(aws: FakeAws, shop: Shop):
    for number in range(101):
        make_task("other", source=LANDING, lake=LAKE, name=f"other-{number}")
    make_task("sales_orders", source=shop.folder, lake=LAKE)

    assert shop.transfers.transfer("sales_orders", on_progress=ignore).transferred == ()
    assert aws.faults.requests["datasync:ListTasks"] == 2


def test_names_that_are_no_export_are_told_and_not_taken(shop: Shop):
    for name in ("customers-2024.csv", "customers-20241399.csv", "people.txt", "customers-20241120.csv.gz"):
        shop.put(CONTENT, name)
    (shop.folder / "old").mkdir()
    shop.put(CONTENT, f"old/{NAME}")
    client("s3").put_object(Bucket=LAKE_BUCKET, Key=f"lake/raw/csv/{FEED}/", Body=b"")

    outcome = shop.transfer()

    assert outcome.transferred == ()
    assert {name: remedy.split(":")[0] for name, remedy in outcome.ignored.items()} == {
        "customers-2024.csv": "not a name of this feed",
        "customers-20241120.csv.gz": "packed",
        "customers-20241399.csv": "20241399 is not a date",
        "people.txt": "no export of customers",
        f"old/{NAME}": "in a folder of its own",
    }
    assert visible() == []


def test_one_throttling_and_one_server_error_pass_unnoticed_and_expired_credentials_are_told(aws: FakeAws, shop: Shop):
    shop.put(CONTENT)
    aws.faults.add("datasync", THROTTLED, UNAVAILABLE)
    aws.faults.add("s3", UNAVAILABLE)
    assert shop.transfer().transferred == (NAME,)

    aws.faults.add("datasync", EXPIRED)
    with pytest.raises(TransferFailed, match="renew them"):
        shop.transfer()


def test_what_others_have_started_is_told_once_it_has_ended_and_its_result_is_taken_in(aws: FakeAws, shop: Shop):
    shop.put(CONTENT)
    running = shop.start()
    assert shop.transfers.ended(FEED, told=None) is None
    advance(running, until="SUCCESS")
    assert shop.transfers.ended(FEED, told=None) == EndedTransfer(name=running, is_news=True)
    assert shop.transfers.ended(FEED, told=running) is None

    assert shop.transfer(ended=running).transferred == (NAME,)

    assert aws.faults.requests["datasync:StartTaskExecution"] == 1
    shop.transfer()
    ours = shop.transfers.ended(FEED, told=running)
    assert ours is not None
    assert not ours.is_news


def test_what_others_have_started_in_vain_is_no_news_but_a_failure_is(shop: Shop):
    vain = shop.start()
    advance(vain, until="SUCCESS")
    assert shop.transfers.ended(FEED, told=None) == EndedTransfer(name=vain, is_news=False)

    controls().failures.append(Failure())
    failed = shop.start()
    advance(failed, until="SUCCESS")
    assert shop.transfers.ended(FEED, told=vain) == EndedTransfer(name=failed, is_news=True)


def test_exports_in_s3_are_arrivals_until_raw_has_them(aws: FakeAws, landing: DatasyncTransfer):
    arrive(NAME, CONTENT)
    arrive("sales_orders-1.csv", CONTENT)
    aws.faults.requests.clear()

    first = landing.arrivals([*FEEDS])

    assert aws.faults.requests["s3:GET"] == 2
    assert [text.split(":")[0] for text in first[FEED]] == [NAME]
    assert "rename it" in first["sales_orders"][0]
    assert first["sales_order_parts"] == []
    outcome = landing.transfer(FEED, on_progress=ignore)
    assert (outcome.transferred, outcome.waiting) == ((NAME,), ())
    assert landing.arrivals([FEED])[FEED] == []
    arrive(NAME, f"{LATER}\n")
    (again,) = landing.arrivals([FEED])[FEED]
    assert again not in first[FEED]


def test_what_arrives_during_the_transfer_waits_for_the_next(landing: DatasyncTransfer):
    arrive(NAME, CONTENT)

    def arrive_late(line: str) -> None:
        if "VERIFYING" in line:
            arrive("customers-20241122.csv", LATER)

    outcome = landing.transfer(FEED, on_progress=arrive_late)

    assert (outcome.transferred, outcome.waiting) == ((NAME,), ("customers-20241122.csv",))


def test_an_object_of_another_size_than_its_export_is_not_taken_in(landing: DatasyncTransfer):
    arrive(NAME, CONTENT)

    def cut(line: str) -> None:
        if "VERIFYING" in line:
            client("s3").put_object(Bucket=LAKE_BUCKET, Key=f"lake/raw/csv/{FEED}/{NAME}", Body=b"half")

    with pytest.raises(TransferFailed, match=rf"{NAME} has 4 bytes in raw and {len(CONTENT)}"):
        landing.transfer(FEED, on_progress=cut)
    assert visible() == []


def test_without_a_landing_place_in_s3_nothing_is_asked(aws: FakeAws, shop: Shop):
    aws.faults.requests.clear()

    assert shop.transfers.arrivals([*FEEDS]) == {}
    assert not aws.faults.requests
