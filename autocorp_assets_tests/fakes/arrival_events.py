"""S3 telling SQS of new objects: moto delivers each event once and in order, AWS promises neither."""

from __future__ import annotations

import json
from typing import Any

from autocorp_assets.resources.aws.clients import client
from autocorp_assets_tests.fakes.server import LAKE_BUCKET

QUEUE = "autocorp-raw-arrivals"


def make_queue() -> None:
    """The queue, and the bucket's events of created objects below raw; S3 sends its test event at once."""
    sqs = client("sqs")
    sqs.create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": "120"})
    arn = sqs.get_queue_attributes(QueueUrl=url(), AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = {
        "QueueArn": arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "lake/raw/"}]}},
    }
    client("s3").put_bucket_notification_configuration(
        Bucket=LAKE_BUCKET, NotificationConfiguration={"QueueConfigurations": [rule]}
    )


def url() -> str:
    return client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"]


def waiting() -> int:
    """Messages that nobody has deleted, whether or not somebody has received them."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    said = client("sqs").get_queue_attributes(QueueUrl=url(), AttributeNames=names)["Attributes"]
    return sum(int(said[name]) for name in names)


def lose() -> None:
    """Everything that is in the queue."""
    client("sqs").purge_queue(QueueUrl=url())


def send(*bodies: Any) -> None:
    for body in bodies:
        client("sqs").send_message(QueueUrl=url(), MessageBody=body if isinstance(body, str) else json.dumps(body))


def take_all() -> list[str]:
    """Bodies of the messages in the queue, which is empty then."""
    bodies: list[str] = []
    while messages := client("sqs").receive_message(QueueUrl=url(), MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(message["Body"])
            client("sqs").delete_message(QueueUrl=url(), ReceiptHandle=message["ReceiptHandle"])
    return bodies
