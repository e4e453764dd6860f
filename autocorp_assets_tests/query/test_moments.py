from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.moments import parse_moment

NOW = datetime(2024, 11, 21, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-11-20", datetime(2024, 11, 20, tzinfo=UTC)),
        ("2024-11-20 08:15", datetime(2024, 11, 20, 8, 15, tzinfo=UTC)),
        ("2024-11-20T08:15:30Z", datetime(2024, 11, 20, 8, 15, 30, tzinfo=UTC)),
        ("2024-11-20T08:15:30-05:00", datetime(2024, 11, 20, 13, 15, 30, tzinfo=UTC)),
        ("now", NOW),
        ("Yesterday", datetime(2024, 11, 20, 10, 30, tzinfo=UTC)),
        ("1 hour ago", datetime(2024, 11, 21, 9, 30, tzinfo=UTC)),
        ("90 minutes ago", datetime(2024, 11, 21, 9, 0, tzinfo=UTC)),
        (" 2 weeks ago ", datetime(2024, 11, 7, 10, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_iso_or_relative_and_in_utc(text: str, moment: datetime):
    assert parse_moment(text, now=NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "last tuesday", "2024-13-01", "2 fortnights ago", "-1 hours ago", "100000 weeks ago", "21/11/2024"]
)
def test_anything_else_is_told_what_there_is(text: str):
    with pytest.raises(QueryError, match="give an ISO date or time"):
        parse_moment(text, now=NOW)


def test_the_future_is_refused():
    with pytest.raises(QueryError, match="in the future"):
        parse_moment("2024-11-22", now=NOW)
