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
    freshness_seconds: int = 30
    """Between two looks at how fresh tables are, each of which asks how replication stands."""
    lag_seconds: int = 30
    """Between two looks at how far raw is behind, each of which asks how replication stands."""
    silence_seconds: int = 60
    """How old the last word of replication may be to speak of the present."""


LOCAL = Pace(tick_seconds=5)
AWS = Pace(tick_seconds=30, listing_seconds=300, freshness_seconds=60, lag_seconds=300, silence_seconds=300)
"""Half a minute is little against the ten between two Glue runs. A lost event is found within five minutes: with the
window of the next run, before freshness fails. 12 listings of 7 tables an hour are some 430 requests; one at each tick
would be ten times as many. DMS's metric of its latency comes once a minute and minutes late; asking costs two
requests."""


def pace_of(settings: Settings) -> Pace:
    return AWS if settings.deployment == "aws" else LOCAL
