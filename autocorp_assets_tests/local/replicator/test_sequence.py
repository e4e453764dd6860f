"""Change sequences rise whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from autocorp_assets.contracts.raw_format import LOAD_SEQUENCE, SEQUENCE_DIGITS
from autocorp_assets.local.replicator.sequence import ChangeClock

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def test_a_sequence_is_commit_time_and_counter():
    clock = ChangeClock(time="0" * 16, counter=41)
    clock.begin((datetime(2024, 11, 21, 10, 30, 5, 129999, tzinfo=UTC) - EPOCH) // MICROSECOND)

    assert clock.next() == "2024112110300512" + "0000000000000000042"
    assert clock.commit_time == "2024-11-21 10:30:05.129999"
    assert clock.day_folder == "year=2024/month=11/day=21"


@given(st.lists(st.integers(0, 10**15), min_size=1), st.integers(0, 10**15))
def test_sequences_rise_over_clocks_that_do_not(times, restart_at):
    clock = ChangeClock(time="0" * 16, counter=0)
    given_out = [LOAD_SEQUENCE]
    for time in times:
        clock.begin(time)
        given_out += [clock.next(), clock.next()]
    clock = ChangeClock(time=clock.time, counter=clock.counter)
    clock.begin(restart_at)
    given_out.append(clock.next())

    assert given_out == sorted(set(given_out))
    assert {len(sequence) for sequence in given_out} == {SEQUENCE_DIGITS}
