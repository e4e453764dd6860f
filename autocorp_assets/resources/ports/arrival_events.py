"""Where something has arrived in raw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """Where new raw objects are said to be; that they are, and that they are new, is for the listing to find."""

    paths: frozenset[str] = frozenset()
    """Relative to the lake's root."""
    receipts: tuple[str, ...] = ()
    """What `forget` needs."""


class EventsUnavailable(RuntimeError):
    """News cannot be asked for, or not be forgotten; the message says why and what to do."""


class ArrivalEvents(Protocol):
    """News of objects in raw: some are lost, some come twice, and in any order.

    Both methods raise EventsUnavailable.
    """

    def receive(self) -> Arrivals:
        """What has been told since; told again later unless it is forgotten."""
        ...

    def forget(self, arrivals: Arrivals) -> None: ...
