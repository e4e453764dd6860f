"""News of raw objects, as they come out of SQS."""

from __future__ import annotations

import json

import pytest

from autocorp_assets.resources.aws.arrival_queue import SqsArrivals, created_objects
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.ports.arrival_events import EventsUnavailable
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.arrival_events import make_queue, send, waiting
from autocorp_assets_tests.fakes.faults import THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws


@pytest.fixture
def events(aws_settings: Settings) -> SqsArrivals:
    make_queue()
    return SqsArrivals(settings=aws_settings, wait_seconds=0)


def put(path: str) -> None:
    client("s3").put_object(Bucket=LAKE_BUCKET, Key=f"lake/{path}", Body=b"x")


def record(key: str, event: str = "ObjectCreated:Put") -> dict:
    return {"eventName": event, "s3": {"bucket": {"name": LAKE_BUCKET}, "object": {"key": key}}}


def test_the_test_event_comes_first_and_says_nothing(events: SqsArrivals):
    arrivals = events.receive()

    assert (arrivals.paths, len(arrivals.receipts)) == (frozenset(), 1)
    events.forget(arrivals)
    assert waiting() == 0


def test_keys_are_url_encoded_and_only_raw_counts(events: SqsArrivals):
    put("raw/csv/customers/a name+with plus é.csv")
    put("raw/database/service/2025/11/25/20251125-000000000.parquet")
    put("curated/hudi/customers/part.parquet")
    send({"Records": [record("elsewhere/raw/database/service/x.parquet")]})

    assert events.receive().paths == {
        "raw/csv/customers/a name+with plus é.csv",
        "raw/database/service/2025/11/25/20251125-000000000.parquet",
    }


def test_what_is_not_forgotten_is_told_again(events: SqsArrivals):
    put("raw/csv/customers/customers-20241121.csv")
    first = events.receive()
    for receipt in first.receipts:
        url = client("sqs").get_queue_url(QueueName="autocorp-raw-arrivals")["QueueUrl"]
        client("sqs").change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)

    assert events.receive().paths == first.paths


def test_a_message_that_is_no_event_is_deleted_with_the_others_and_logged(
    events: SqsArrivals, caplog: pytest.LogCaptureFixture
):
    send("not json", "[]", '"text"', {"Records": [{"eventName": "ObjectCreated:Put"}]}, {"hello": 1})
    put("raw/csv/customers/customers-20241121.csv")

    arrivals = events.receive()
    events.forget(arrivals)

    assert arrivals.paths == {"raw/csv/customers/customers-20241121.csv"}
    assert caplog.text.count("is no event of S3") == 5
    assert waiting() == 0


def test_many_messages_take_few_requests_and_the_rest_comes_next_time(aws: FakeAws, events: SqsArrivals):
    for number in range(30):
        put(f"raw/csv/customers/{number}.csv")
    aws.faults.requests.clear()

    arrivals = events.receive()
    events.forget(arrivals)

    assert len(arrivals.paths) == 30
    assert aws.faults.requests["sqs:ReceiveMessage"] == 4
    assert aws.faults.requests["sqs:DeleteMessageBatch"] == 4
    assert waiting() == 0


def test_an_empty_queue_costs_one_request(aws: FakeAws, events: SqsArrivals):
    events.forget(events.receive())
    aws.faults.requests.clear()

    events.forget(events.receive())

    assert dict(aws.faults.requests) == {"sqs:ReceiveMessage": 1}


def test_one_throttling_and_one_server_error_pass_unnoticed(aws: FakeAws, events: SqsArrivals):
    aws.faults.add("sqs", THROTTLED, UNAVAILABLE)

    assert len(events.receive().receipts) == 1


def test_a_missing_queue_is_named(aws_settings: Settings):
    with pytest.raises(EventsUnavailable, match=r"queue autocorp-raw-arrivals: GetQueueUrl"):
        SqsArrivals(settings=aws_settings).receive()


def test_events_wrapped_by_sns_and_those_of_eventbridge_are_understood():
    message = {"Records": [record("lake/raw/a%2Bb+c"), record("lake/raw/gone", "ObjectRemoved:Delete")]}
    sns = {"Type": "Notification", "TopicArn": "arn:aws:sns:…", "Message": json.dumps(message)}
    bridge = {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": {"bucket": {"name": LAKE_BUCKET}, "object": {"key": "lake/raw/a+b c"}},
    }

    wanted = [(LAKE_BUCKET, "lake/raw/a+b c")]
    assert created_objects(message) == created_objects(sns) == created_objects(bridge) == wanted
    assert created_objects({**bridge, "detail-type": "Object Deleted"}) == []
