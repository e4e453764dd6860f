"""What a person must know of a check: it travels in the check's spec, for Dagster, docs/checks.md and the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg


class Question(StrEnum):
    """What the result of a check answers."""

    FRESH = "fresh"
    """Does it show what has just happened?"""
    COMPLETE = "complete"
    """Is every row there that should be?"""
    CORRECT = "correct"
    """Are the rows that are there right?"""
    FIT = "fit"
    """Can the table be read and written at its usual cost?"""


class Occasion(StrEnum):
    """When a check runs."""

    EACH_CURATION = "with each run that curates the table, on what the run changed"
    NEWEST_FILES = "every hour and with each `autocorp sync`, on the newest files"
    EACH_TRANSFER = "with each transfer of exports, on the newest file"
    ALL_THE_TIME = "twice a minute, by sensor `freshness`, which tells of it when it changes"
    EACH_LOOK = "by sensor `replication_lag`: when it changes, and every quarter of an hour"
    HOURLY = "every hour, over the whole table"
    WEEKLY = "on Sunday night, over everything"


ERROR = "error"
WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class CheckMeaning:
    """One check in the words of who has to act on it."""

    title: str
    """What holds while the check passes: a few words for somebody who does not know the platform."""
    answers: Question
    runs: Occasion
    severity: str
    """How a failure counts: ERROR or WARNING, and in which case it is the other."""
    means: str
    """What is looked at, and what it means when it fails. Sentences; `code` in backticks."""
    what_to_do: str
    """When it fails. Sentences; commands in backticks."""

    @property
    def description(self) -> str:
        """For the check's page."""
        return f"{self.title}. {self.means} What to do: {self.what_to_do}"

    @property
    def metadata(self) -> dict[str, str]:
        """For the check's spec, where `meaning_of` finds it."""
        return {name: str(value) for name, value in asdict(self).items()}


def meaning_of(spec: dg.AssetCheckSpec) -> CheckMeaning | None:
    """What the spec of a check says; None if it does not say all of it."""
    told = {name: str(spec.metadata.get(name, "")) for name in CheckMeaning.__dataclass_fields__}
    if not all(told.values()):
        return None
    return CheckMeaning(
        title=told["title"],
        answers=Question(told["answers"]),
        runs=Occasion(told["runs"]),
        severity=told["severity"],
        means=told["means"],
        what_to_do=told["what_to_do"],
    )
