"""News of raw objects by way of SQS: S3's own events, also where SNS or EventBridge passed them on."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus

from autocorp_assets.contracts.raw_format import RAW_CSV, RAW_DATABASE
from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.aws.s3_place import S3Place
from autocorp_assets.resources.ports.arrival_events import Arrivals, EventsUnavailable
from autocorp_assets.settings import Settings

BATCH = 10
"""Messages in one answer: SQS gives no more."""
BATCHES = 20
"""In one receive: 200 messages, which take about a second. What is left is told next time."""
WAIT_SECONDS = 1
"""Asks all servers of the queue (long polling) at the same price; without it an answer may be empty by chance."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SqsArrivals:
    """ArrivalEvents from the queue that the settings name.

    A message that is received stays invisible for the queue's visibility timeout. The queue's should be longer than
    two ticks of the sensor (120 seconds): otherwise messages come again before they are forgotten, which only costs.
    """

    settings: Settings
    wait_seconds: int = WAIT_SECONDS

    def receive(self) -> Arrivals:
        paths: set[str] = set()
        receipts: list[str] = []
        with self._explained():
            messages = list(self._messages())
        for message in messages:
            receipts.append(message["ReceiptHandle"])
            try:
                paths.update(self._paths(message["Body"]))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                # It would come again until the queue's end of retention. The listing finds what it was to tell.
                logger.warning(
                    "a message in queue %s is no event of S3 (%r) and is deleted: see who else writes to the queue",
                    self.settings.aws.arrivals_queue,
                    error,
                )
        return Arrivals(paths=frozenset(paths), receipts=tuple(receipts))

    def forget(self, arrivals: Arrivals) -> None:
        receipts = arrivals.receipts
        for start in range(0, len(receipts), BATCH):
            some = enumerate(receipts[start : start + BATCH])
            entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in some]
            with self._explained():
                client("sqs").delete_message_batch(QueueUrl=self._url, Entries=entries)

    @contextmanager
    def _explained(self) -> Generator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise EventsUnavailable(f"queue {self.settings.aws.arrivals_queue}: {explain(error)}") from error

    @cached_property
    def _url(self) -> str:
        return client("sqs").get_queue_url(QueueName=self.settings.aws.arrivals_queue)["QueueUrl"]

    def _messages(self) -> Iterator[dict[str, Any]]:
        for _ in range(BATCHES):
            answer = client("sqs").receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=self.wait_seconds
            )
            messages = answer.get("Messages", [])
            yield from messages
            if len(messages) < BATCH:
                return

    def _paths(self, body: str) -> Iterator[str]:
        """Relative to the lake, of what lies in raw."""
        lake = S3Place.of(str(self.settings.lake))
        for bucket, key in created_objects(json.loads(body)):
            path = key.removeprefix(lake.key(""))
            if bucket == lake.bucket and key == lake.key(path) and path.startswith((f"{RAW_DATABASE}/", f"{RAW_CSV}/")):
                yield path


def created_objects(message: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(bucket, key) of each object that the message tells of; none of S3's test event and of deletions.

    Shapes: S3's notifications have Records, whose keys are URL-encoded; SNS puts that as text in Message;
    EventBridge has `detail`, whose keys are as they are (S3 user guide, "Event message structure").

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is none of these.
    """
    if "Message" in message and "TopicArn" in message:
        return created_objects(json.loads(message["Message"]))
    if message.get("Event") == "s3:TestEvent":
        return []
    if "detail" in message:
        if message["detail-type"] != "Object Created":
            return []
        detail = message["detail"]
        return [(detail["bucket"]["name"], detail["object"]["key"])]
    return [
        (record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
        for record in message["Records"]
        if record["eventName"].startswith("ObjectCreated")
    ]
