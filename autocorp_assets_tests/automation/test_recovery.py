"""When replication is started again by itself, when not, and when people are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autocorp_assets.automation.recovery import CEILING, History, decide
from autocorp_assets.resources.ports.replication import ReplicationState

RUNNING = ReplicationState(running=True, should_run=True, summary="task is running")
INTERRUPTED = ReplicationState(running=False, should_run=True, summary="task failed", restart_mends=True)
BROKEN = replace(INTERRUPTED, restart_mends=False, remedy="give it more storage")
STOPPED = replace(INTERRUPTED, should_run=False, restart_mends=False)
STARTING = replace(INTERRUPTED, is_settling=True)
MINUTE = 60.0


def restarts(state: ReplicationState, *, minutes: int) -> tuple[list[int], list[str]]:
    """In which minutes it is restarted, and which alerts are sent, where nothing helps."""
    history, acted, alerts = History(), [], []
    for minute in range(minutes):
        decision = decide(state, history, minute * MINUTE)
        history = History.from_json(decision.history.to_json())
        if decision.resume or decision.reload:
            acted.append(minute)
        alerts += decision.alerts
    return acted, alerts


def test_what_runs_is_left_alone():
    decision = decide(RUNNING, History(), 0)

    assert (decision.resume, decision.reload, decision.alerts, decision.reason) == (False, (), {}, "")


def test_an_interruption_is_mended_with_back_off_up_to_a_ceiling_and_then_told_once():
    acted, alerts = restarts(INTERRUPTED, minutes=600)

    assert acted == [0, 1, 3, 7, 15]
    assert alerts == ["Replication is down"]


def test_what_a_restart_cannot_mend_is_told_once_with_the_remedy_and_never_restarted():
    assert restarts(BROKEN, minutes=120) == ([], ["Replication is down"])
    (text,) = decide(BROKEN, History(), 0).alerts.values()
    assert "task failed. It is not started again: give it more storage" in text


@pytest.mark.parametrize("state", [STOPPED, STARTING])
def test_what_somebody_stopped_or_settles_by_itself_is_neither_restarted_nor_told(state):
    assert restarts(state, minutes=120) == ([], [])


def test_it_says_when_it_tries_again():
    first = decide(INTERRUPTED, History(), 0)
    second = decide(INTERRUPTED, first.history, 10)

    assert first.resume
    assert first.reason == f"started again, attempt 1 of {CEILING}"
    assert not second.resume
    assert second.reason == "started again in 50 s"


def test_when_it_runs_again_that_is_told_too_and_the_count_goes_on():
    told = decide(BROKEN, History(), 0)
    over = decide(RUNNING, told.history, MINUTE)

    assert over.over == ("Replication is down",)
    assert decide(RUNNING, over.history, 2 * MINUTE).over == ()

    flapping = History()
    acted = 0
    for minute in range(50):
        decision = decide(RUNNING if minute % 2 else INTERRUPTED, flapping, minute * MINUTE)
        flapping, acted = decision.history, acted + decision.resume
    assert acted == CEILING


def test_attempts_of_more_than_an_hour_ago_do_not_count():
    old = History(attempts={"": (0.0, 60.0, 180.0, 420.0, 900.0)})

    assert decide(INTERRUPTED, old, 7200).resume


def test_a_table_in_error_is_loaded_anew_with_the_same_patience():
    state = replace(RUNNING, tables_in_error=("customers",))

    acted, alerts = restarts(state, minutes=120)

    assert acted == [0, 1, 3, 7, 15]
    assert alerts == ["Replication of customers is in error"]


def test_one_table_in_error_does_not_hold_back_another():
    history = History(attempts={"customers": (0.0, 1.0, 2.0, 3.0, 4.0)})

    decision = decide(replace(RUNNING, tables_in_error=("customers", "service")), history, 60)

    assert decision.reload == ("service",)
    assert decision.alerts.keys() == {"Replication of customers is in error"}
