"""An alert reaches the topic, or at least the log."""

from __future__ import annotations

import json
import logging

import pytest

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.sns_alerts import MESSAGE_BYTES, SnsAlerts, bounded, subject_line
from autocorp_assets_tests.fakes.faults import THROTTLED, Fault
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws


@pytest.fixture
def topic(aws: FakeAws) -> str:
    """With a queue that is subscribed to it."""
    topic = client("sns").create_topic(Name="alerts")["TopicArn"]
    queue = client("sqs").create_queue(QueueName="readers")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic


def received() -> list[dict]:
    queue = client("sqs").get_queue_url(QueueName="readers")["QueueUrl"]
    messages = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_it_is_delivered_with_subject_and_text_though_sns_throttles_once(aws: FakeAws, topic):
    aws.faults.add("sns", THROTTLED)

    SnsAlerts(topic=topic).send(subject="AutoCorp: curate failed é run 1\nnow", text="Wähle…")

    (message,) = received()
    assert (message["Subject"], message["Message"]) == ("AutoCorp: curate failed ? run 1 now", "Wähle…")


def test_what_sns_does_not_take_is_logged_with_its_text_and_nothing_is_raised(aws: FakeAws, topic, caplog):
    aws.faults.add("sns", Fault(status=403, code="AuthorizationError"))

    with caplog.at_level(logging.ERROR, "autocorp.alerts"):
        SnsAlerts(topic=topic).send(subject="curate failed", text="customers: no disk")

    assert "AuthorizationError" in caplog.text
    assert "curate failed" in caplog.text
    assert "customers: no disk" in caplog.text


def test_a_topic_that_does_not_exist_is_as_good_as_none(aws: FakeAws, topic, caplog):
    SnsAlerts(topic=f"{topic}-gone").send(subject="curate failed", text="customers: no disk")

    assert "customers: no disk" in caplog.text


def test_without_a_topic_it_is_logged(aws: FakeAws, caplog):
    SnsAlerts(topic=None).send(subject="curate failed", text="customers: no disk")

    assert "customers: no disk" in caplog.text
    assert not aws.faults.requests


@pytest.mark.parametrize("text", ["", "   \n", "é" * 300, "x" * 300, "tab\tand\x00zero"])
def test_a_subject_is_what_sns_takes(text):
    subject = subject_line(text)

    assert 1 <= len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()
    assert subject == subject.strip()


def test_a_long_text_is_cut_between_characters_and_says_so():
    text = bounded("ä" * MESSAGE_BYTES)

    assert len(text.encode()) <= MESSAGE_BYTES
    assert text.endswith("the log has the rest")
    assert bounded("short") == "short"
