"""The small language in which an analyst names a past moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from autocorp_assets.query.errors import QueryError

_AGO = re.compile(r"(?P<count>\d{1,5}) ?(?P<unit>second|minute|hour|day|week)s? ago")
_WORDS = {"now": timedelta(), "yesterday": timedelta(days=1)}
GRAMMAR = "an ISO date or time (UTC unless it says otherwise), 'yesterday', or such as '2 hours ago' or '3 days ago'"


def parse_moment(text: str, *, now: datetime) -> datetime:
    """The moment that a text names, in UTC.

    A date is its first instant. `yesterday` is this time of day, one day ago.

    Args:
        text: ISO 8601 date or time, `now`, `yesterday`, or `<n> seconds|minutes|hours|days|weeks ago`.
        now: an aware time, from which relative ones count.

    Raises:
        QueryError: the text is none of these, or names a moment in the future.
    """
    moment = _relative(text.strip().lower(), now) or _absolute(text.strip())
    if moment is None:
        message = f"{text!r} is no moment that I know: give {GRAMMAR}"
        raise QueryError(message)
    if moment > now:
        message = f"{moment:%Y-%m-%d %H:%M:%S} UTC is in the future: the lake cannot be read as it will be"
        raise QueryError(message)
    return moment


def _relative(text: str, now: datetime) -> datetime | None:
    if text in _WORDS:
        return now.astimezone(UTC) - _WORDS[text]
    match = _AGO.fullmatch(text)
    return now.astimezone(UTC) - timedelta(**{f"{match['unit']}s": int(match["count"])}) if match else None


def _absolute(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
