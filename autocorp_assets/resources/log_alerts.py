"""Alerts where nobody is on call: lines of the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass

LOGGER = logging.getLogger("autocorp.alerts")


@dataclass(frozen=True)
class LogAlerts:
    """Alerts: one log line of level error each."""

    def send(self, *, subject: str, text: str) -> None:
        LOGGER.error("%s: %s", subject, text)
