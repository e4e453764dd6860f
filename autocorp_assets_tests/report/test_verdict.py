"""What figures mean: fresh, complete, correct, and what to do about what is not."""

from datetime import timedelta
from typing import Any

import pytest

from autocorp_assets.automation.completeness import Applied
from autocorp_assets.contracts.model import ServiceLevel
from autocorp_assets.report.model import Freshness, State, TableReport
from autocorp_assets.report.verdict import COMPLETE, CORRECT, FRESH, judge, judge_freshness
from autocorp_assets_tests.report.conftest import NOW, check, freshness, kept_out, reconciled, report, table


def minutes_ago(minutes: float):
    return NOW - timedelta(minutes=minutes)


def judged(**changes) -> Freshness:
    known: dict[str, Any] = {
        "now": NOW,
        "exists": True,
        "in_raw_at": minutes_ago(1),
        "last_run_at": minutes_ago(200),
        "applied": Applied(at=minutes_ago(200), newest_change=minutes_ago(201)),
        "pending_files": 0,
        "pending_since": None,
        "replication_down": "",
    }
    return judge_freshness(ServiceLevel(), **{**known, **changes})


@pytest.mark.parametrize(
    ("minutes", "state"), [(9.9, State.GOOD), (10, State.WARNING), (14.9, State.WARNING), (15, State.ERROR)]
)
def test_a_table_is_late_at_ten_minutes_and_too_late_at_fifteen(minutes, state):
    assert judged(in_raw_at=minutes_ago(minutes)).state is state


def test_a_quiet_source_is_not_stale():
    found = judged(in_raw_at=minutes_ago(1), last_run_at=minutes_ago(3000), applied=None)

    assert (found.state, found.age_seconds, found.why) == (State.GOOD, 60, "")


def test_a_silent_pipe_is_stale_even_where_runs_go_on():
    found = judged(in_raw_at=minutes_ago(40), last_run_at=minutes_ago(1), replication_down="failed: no disk")

    assert (found.state, found.why) == (State.ERROR, "replication does not run (failed: no disk)")


def test_a_file_that_waits_makes_the_table_as_old_as_the_file():
    found = judged(pending_files=2, pending_since=minutes_ago(12))

    assert (found.state, found.age_seconds) == (State.WARNING, 720)
    assert found.why == "2 raw files not taken in yet"


def test_replication_that_works_off_a_backlog_is_not_there_yet():
    found = judged(last_run_at=minutes_ago(1), applied=Applied(at=minutes_ago(1), newest_change=minutes_ago(90)))

    assert (found.state, found.as_of) == (State.ERROR, minutes_ago(90))


def test_a_quiet_table_that_a_run_found_unchanged_is_no_backlog():
    assert (
        judged(
            last_run_at=minutes_ago(1), applied=Applied(at=minutes_ago(89), newest_change=minutes_ago(90))
        ).age_seconds
        == 60
    )


def test_without_word_of_raw_the_last_run_counts():
    assert judged(in_raw_at=None, last_run_at=minutes_ago(4), applied=None).age_seconds == 240


def test_a_table_that_is_not_there_is_not_fresh():
    assert judged(exists=False).state is State.UNKNOWN
    assert judged(exists=False, pending_files=1, pending_since=minutes_ago(1)).state is State.ERROR


def states(*tables: TableReport) -> dict[str, State]:
    return {answer.question: answer.state for answer in judge(report(*tables)).answers}


def test_all_is_well_when_all_is_known_to_be_well():
    verdict = judge(report())

    assert (verdict.state, verdict.issues) == (State.GOOD, ())
    assert verdict.headline == "Everything is fresh, complete and correct"
    assert {answer.state for answer in verdict.answers} == {State.GOOD}


def test_each_finding_answers_its_question():
    late = freshness(state=State.WARNING, age_seconds=700.0, why="1 raw file not taken in yet")
    assert states(table(freshness=late)) == {FRESH: State.WARNING, COMPLETE: State.GOOD, CORRECT: State.GOOD}
    assert states(table(quarantine=kept_out(("price: at least 0", 3))))[COMPLETE] is State.WARNING
    lost = check(name="reconciliation", answers="complete", state=State.ERROR, told="2 missing")
    assert states(table(checks=(lost,)))[COMPLETE] is State.ERROR
    assert states(table(checks=(check(state=State.ERROR),)))[CORRECT] is State.ERROR


def test_what_matters_most_comes_first_with_what_to_do():
    broken = table(
        table="customers",
        checks=(check(asset="curated/customers", state=State.ERROR, told="email: form (2) of 9 rows"),),
    )
    verdict = judge(report(table(quarantine=kept_out(("price: at least 0", 3))), broken))

    first, second = verdict.issues
    assert (first.tables, first.where, first.why) == (
        ("customers",),
        "curated/customers, check rules",
        "email: form (2) of 9 rows",
    )
    assert first.what_to_do == "Correct the rows; see `autocorp trace`."
    assert (second.what, second.why) == ("3 rows kept out, in quarantine", "price: at least 0 (3)")
    assert "`autocorp quarantine show auto_parts`" in second.what_to_do
    assert verdict.headline == "1 error and 1 warning to look at"


def test_tables_that_are_late_for_one_reason_are_one_issue():
    late = freshness(state=State.ERROR, age_seconds=2000.0, why="replication does not run (stopped)")
    (issue,) = judge(report(table(freshness=late), table(table="service", freshness=late))).issues

    assert (issue.tables, issue.what) == (("auto_parts", "service"), "More than 15 minutes behind")
    assert "`autocorp sync`" in issue.what_to_do


def test_checks_that_nobody_ran_make_an_answer_unknown_and_not_good():
    unjudged = (check(state=State.UNKNOWN, at=None), check(state=State.UNKNOWN, at=None, name="catalog"))
    verdict = judge(report(table(checks=unjudged)))

    (issue,) = verdict.issues
    assert (issue.what, issue.why) == (
        "No recent result of 2 checks",
        "Never run, or not for a day: `catalog`, `rules`.",
    )
    assert verdict.headline == "Nothing is known to be wrong; not all is known: correct"


def test_differences_are_added_up_over_tables():
    tables = (table(reconciliation=reconciled(differences=2)), table(table="service", reconciliation=None))
    told = {answer.question: answer.told for answer in judge(report(*tables)).answers}

    assert told[COMPLETE].startswith("1 of 2 tables compared with their source: 2 differences.")


def test_an_empty_lake_says_so_with_the_command_to_run():
    nothing = table(exists=False, rows=None, freshness=freshness(state=State.UNKNOWN, age_seconds=None, as_of=None))
    verdict = judge(report(nothing))

    assert verdict.headline == "The lake is empty"
    assert {answer.state for answer in verdict.answers} == {State.UNKNOWN}
    assert "`autocorp sync`" in verdict.issues[0].what_to_do
