"""What the figures mean: is everything fresh, complete and correct, what is not, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from autocorp_assets.automation.completeness import Applied, complete_until
from autocorp_assets.contracts.model import ServiceLevel
from autocorp_assets.report.model import CheckResult, Freshness, Report, State, TableReport, worst
from autocorp_assets.report.words import counted

FRESH, COMPLETE, CORRECT = "fresh", "complete", "correct"
CATCH_UP = "Run `autocorp dev`, which keeps all tables up to date, or `autocorp sync`, which brings them there once"
UNJUDGED_TOLD = 5
"""Names of unjudged checks that a sentence lists."""


@dataclass(frozen=True, kw_only=True)
class Issue:
    """Something that somebody should look at."""

    state: State
    answers: str
    """The question that it is about: FRESH, COMPLETE or CORRECT."""
    where: str
    """The asset and its check; empty where tables say enough, or for the whole lake."""
    tables: tuple[str, ...]
    """Whose sections tell more."""
    what: str
    why: str
    what_to_do: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """To one of the three questions."""

    question: str
    state: State
    told: str
    issues: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The first screen."""

    state: State
    headline: str
    answers: tuple[Answer, ...]
    issues: tuple[Issue, ...]
    """What matters most first."""


def judge_freshness(
    level: ServiceLevel,
    *,
    now: datetime,
    exists: bool,
    in_raw_at: datetime | None,
    last_run_at: datetime | None,
    applied: Applied | None,
    pending_files: int,
    pending_since: datetime | None,
    replication_down: str,
) -> Freshness:
    """How far behind its sources a table is: with nothing pending it is as fresh as raw, quiet sources or not.

    Args:
        level: the minutes at which the table is late.
        now: the time of the report.
        exists: whether the table is there.
        in_raw_at: when raw last was known to hold what the source said.
        last_run_at: when a run last took in all that was in raw; it counts where the former is not known.
        applied: the last run that applied changes of the database.
        pending_files: raw files that are not taken in yet.
        pending_since: when the oldest of them was written.
        replication_down: why nothing may arrive; empty while replication runs.
    """
    as_of = None
    if exists:
        as_of = complete_until(
            heard=in_raw_at,
            last_run_at=last_run_at,
            waiting_since=pending_since,
            applied=applied,
            level=level,
            now=now,
        )
    age_seconds = (now - as_of).total_seconds() if as_of else None
    state = _freshness_state(level, age_seconds, pending_files)
    return Freshness(
        state=state,
        as_of=as_of,
        age_seconds=age_seconds,
        last_change_at=applied.newest_change if applied else None,
        last_run_at=last_run_at,
        pending_files=pending_files,
        pending_since=pending_since,
        warn_minutes=level.warn_minutes,
        fail_minutes=level.fail_minutes,
        why="" if state is State.GOOD else _why_late(exists=exists, pending=pending_files, down=replication_down),
    )


def _freshness_state(level: ServiceLevel, age_seconds: float | None, pending_files: int) -> State:
    if age_seconds is None:
        return State.ERROR if pending_files else State.UNKNOWN
    if age_seconds >= level.fail_minutes * 60:
        return State.ERROR
    return State.WARNING if age_seconds >= level.warn_minutes * 60 else State.GOOD


def _why_late(*, exists: bool, pending: int, down: str) -> str:
    reasons = []
    if pending:
        reasons.append(f"{counted(pending, 'raw file')} not taken in yet")
    if down:
        reasons.append(f"replication does not run ({down})")
    if not exists and not pending:
        reasons.append("nothing has arrived for it yet")
    return "; ".join(reasons) or "nothing has asked its source for news since"


def judge(report: Report) -> Verdict:
    """The three answers and everything that needs attention."""
    if report.is_empty:
        return _nothing_yet()
    issues = sorted(
        [*_issues(report), *_unjudged(report)],
        key=lambda issue: (-issue.state.weight, issue.answers, issue.where, issue.tables),
    )
    answers = (_fresh(report, issues), _complete(report, issues), _correct(issues))
    state = worst([answer.state for answer in answers])
    return Verdict(state=state, headline=_headline(answers, issues), answers=answers, issues=tuple(issues))


def _nothing_yet() -> Verdict:
    first = Issue(
        state=State.UNKNOWN,
        answers=FRESH,
        where="",
        tables=(),
        what="The lake is empty",
        why="Nothing was ever loaded into it.",
        what_to_do="Run `autocorp sync` to fill it once, or `autocorp dev` to fill it and keep it up to date.",
    )
    answers = (
        Answer(question=FRESH, state=State.UNKNOWN, told="There is nothing yet.", issues=1),
        Answer(question=COMPLETE, state=State.UNKNOWN, told="There is nothing yet.", issues=0),
        Answer(question=CORRECT, state=State.UNKNOWN, told="There is nothing yet.", issues=0),
    )
    return Verdict(state=State.UNKNOWN, headline="The lake is empty", answers=answers, issues=(first,))


def _issues(report: Report) -> Iterator[Issue]:
    yield from _late(report.tables)
    for table in report.tables:
        yield from _table_issues(table)
        yield from (_failed(check, (table.table,)) for check in table.checks if _fails(check))
    yield from (_failed(check, ()) for check in report.other_checks if _fails(check))


def _fails(check: CheckResult) -> bool:
    return check.state in (State.WARNING, State.ERROR)


def _table_issues(table: TableReport) -> Iterator[Issue]:
    if table.problem:
        yield Issue(
            state=State.ERROR,
            answers=CORRECT,
            where="",
            tables=(table.table,),
            what="The table cannot be read",
            why=table.problem,
            what_to_do="Do as the reason says; `autocorp sync` then takes in what is pending.",
        )
    if table.failure:
        yield Issue(
            state=State.ERROR,
            answers=FRESH,
            where="",
            tables=(table.table,),
            what="The last run could not bring it up to date",
            why=table.failure.reason,
            what_to_do=(
                f"Raw keeps every file: once the cause is gone, run `autocorp sync --table {table.table}`, or press "
                f"Materialize on `curated/{table.table}` in the UI. The log: Runs, `{table.failure.run_id[:8]}`."
            ),
        )
    if table.quarantine.rows:
        yield Issue(
            state=State.WARNING,
            answers=COMPLETE,
            where="",
            tables=(table.table,),
            what=f"{counted(table.quarantine.rows, 'row')} kept out, in quarantine",
            why="; ".join(f"{one.reason} ({one.rows:,})" for one in table.quarantine.reasons[:3] if one.rows),
            what_to_do=(
                f"`autocorp quarantine show {table.table}` lists them. Have them corrected where they come from; after "
                f"a rule was mended, `autocorp quarantine replay {table.table}`."
            ),
        )


def _late(tables: Iterable[TableReport]) -> Iterator[Issue]:
    """Tables that are late for the same reason are one line."""
    groups: dict[tuple[State, str, str], list[str]] = {}
    for table in tables:
        if table.freshness.state is not State.GOOD and not table.problem:
            groups.setdefault((table.freshness.state, _how_late(table), table.freshness.why), []).append(table.table)
    for (state, what, why), names in groups.items():
        yield Issue(
            state=state,
            answers=FRESH,
            where="",
            tables=tuple(names),
            what=what,
            why=f"{why[:1].upper()}{why[1:]}.",
            what_to_do=f"{CATCH_UP}.",
        )


def _how_late(table: TableReport) -> str:
    fresh = table.freshness
    if not table.exists:
        return "Not there yet"
    if fresh.age_seconds is None:
        return "How fresh it is cannot be told"
    return f"More than {fresh.fail_minutes if fresh.state is State.ERROR else fresh.warn_minutes} minutes behind"


def _failed(check: CheckResult, tables: tuple[str, ...]) -> Issue:
    return Issue(
        state=check.state,
        answers=check.answers,
        where=f"{check.asset}, check {check.name}",
        tables=tables,
        what=f"Check fails: “{check.title or check.name}”",
        why=check.told,
        what_to_do=check.what_to_do,
    )


def _unjudged(report: Report) -> Iterator[Issue]:
    """Checks that nobody has run, or not for long: one line for each question."""
    checks = [check for table in report.tables if table.exists for check in table.checks]
    for question in (COMPLETE, CORRECT):
        found = [check for check in checks if check.answers == question and check.state is State.UNKNOWN]
        if not found:
            continue
        names = sorted({check.name for check in found})
        listed = ", ".join(f"`{name}`" for name in names[:UNJUDGED_TOLD])
        yield Issue(
            state=State.UNKNOWN,
            answers=question,
            where="",
            tables=(),
            what=f"No recent result of {counted(len(found), 'check')}",
            why=f"Never run, or not for a day: {listed}{' and more' if len(names) > UNJUDGED_TOLD else ''}.",
            what_to_do=(
                "`autocorp dev` runs them every hour. One at once: Checks on the asset's page in the UI, then Execute."
            ),
        )


def _fresh(report: Report, issues: Iterable[Issue]) -> Answer:
    own = [issue for issue in issues if issue.answers == FRESH]
    good = sum(table.freshness.state is State.GOOD for table in report.tables)
    level = max((table.freshness.warn_minutes for table in report.tables), default=0)
    told = f"{good} of {len(report.tables)} tables are at most {level} minutes behind their sources."
    return Answer(question=FRESH, state=_state(own), told=told, issues=len(own))


def _complete(report: Report, issues: Iterable[Issue]) -> Answer:
    own = [issue for issue in issues if issue.answers == COMPLETE]
    kept_out = sum(table.quarantine.rows for table in report.tables)
    compared = [table.reconciliation for table in report.tables if table.reconciliation]
    differences = sum(found.differences or 0 for found in compared)
    told = (
        f"{len(compared)} of {len(report.tables)} tables compared with their source: "
        f"{counted(differences, 'difference')}. {counted(kept_out, 'row')} kept out."
    )
    return Answer(question=COMPLETE, state=_state(own), told=told, issues=len(own))


def _correct(issues: Iterable[Issue]) -> Answer:
    own = [issue for issue in issues if issue.answers == CORRECT]
    failing = sum(issue.state in (State.WARNING, State.ERROR) for issue in own)
    told = "No broken rule, key or column is known."
    if failing:
        told = f"{counted(failing, 'finding')} about rules, keys and columns."
    return Answer(question=CORRECT, state=_state(own), told=told, issues=len(own))


def _state(issues: list[Issue]) -> State:
    return worst([issue.state for issue in issues])


def _headline(answers: Iterable[Answer], issues: Iterable[Issue]) -> str:
    errors = sum(issue.state is State.ERROR for issue in issues)
    warnings = sum(issue.state is State.WARNING for issue in issues)
    if errors or warnings:
        found = [counted(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
        return f"{' and '.join(found)} to look at"
    unknown = [answer.question for answer in answers if answer.state is State.UNKNOWN]
    if unknown:
        return f"Nothing is known to be wrong; not all is known: {', '.join(unknown)}"
    return "Everything is fresh, complete and correct"
