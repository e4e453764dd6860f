"""Alerts by SNS, which passes them on to mail, chat or pager."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.log_alerts import LogAlerts
from autocorp_assets.resources.ports.alerts import Alerts

SUBJECT_CHARACTERS = 100
MESSAGE_BYTES = 256 * 1024
"""SNS's limits (API reference of Publish): of ASCII text without line breaks, and of UTF-8."""
CUT = "\n… cut: the log has the rest"

logger = logging.getLogger("autocorp.alerts")


@dataclass(frozen=True, kw_only=True)
class SnsAlerts:
    """Alerts to a topic; to the log without one, and when SNS does not take them."""

    topic: str | None
    """ARN."""
    log: Alerts = field(default_factory=LogAlerts)

    def send(self, *, subject: str, text: str) -> None:
        if self.topic is None:
            self.log.send(subject=subject, text=text)
            return
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client("sns").publish(TopicArn=self.topic, Subject=subject_line(subject), Message=bounded(text))
        except (ClientError, BotoCoreError) as error:
            logger.error(
                "this alert could not be sent to %s (%s): check the topic and the role's sns:Publish",
                self.topic,
                explain(error),
            )
            self.log.send(subject=subject, text=text)


def subject_line(text: str) -> str:
    """As SNS takes it: printable ASCII on one line, at most 100 characters, and not blank."""
    plain = " ".join(text.encode("ascii", "replace").decode().split())
    printable = "".join(character for character in plain if character.isprintable())
    return printable[:SUBJECT_CHARACTERS].strip() or "alert"


def bounded(text: str) -> str:
    """At most as many bytes as SNS takes; never empty."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= MESSAGE_BYTES:
        return text or "(no text)"
    return encoded[: MESSAGE_BYTES - len(CUT.encode())].decode("utf-8", "ignore") + CUT
