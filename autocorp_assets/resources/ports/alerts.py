"""Words to people."""

from __future__ import annotations

from typing import Protocol


class Alerts(Protocol):
    """Tells people what has gone wrong, and when it is over."""

    def send(self, *, subject: str, text: str) -> None:
        """Returns once it is delivered to whoever passes it on; never raises: a lost alert is logged."""
        ...
