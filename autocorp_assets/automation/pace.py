"""How often sensors look: locally a look costs nothing, in AWS every request costs money."""

from __future__ import annotations

from dataclasses import dataclass

from autocorp_assets.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds between looks."""

    tick_seconds: int
    """Between two ticks of the sensors that look for what has arrived."""
    listing_seconds: int = 0
    """Between two listings of all of raw; between them only where events say that there is something. 0: no events."""


LOCAL = Pace(tick_seconds=5)
AWS = Pace(tick_seconds=30, listing_seconds=300)
"""Half a minute is little against the ten between two Glue runs. A lost event is found within five minutes: with the
window of the next run, before freshness fails. 12 listings of 7 tables an hour are some 430 requests; one at each tick
would be ten times as many."""


def pace_of(settings: Settings) -> Pace:
    return AWS if settings.deployment == "aws" else LOCAL
