"""What a comparison of a table came to. Keys are named and values never: those may be personal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from autocorp_assets.reconciliation.keys import Key

SAMPLE_OF_A_VERDICT = 20


class Verdict(StrEnum):
    """How a key stands that was not equal at once."""

    MISSING = "missing"
    """In the source, not in the lake."""
    EXTRA = "extra"
    """In the lake, not in the source."""
    CHANGED = "changed"
    """In both, with another value."""
    DOUBLED = "doubled"
    """In the lake more than once."""
    WAITING = "waiting"
    """A raw file that is not applied yet changes it."""
    QUARANTINED = "quarantined"
    """Its last change is kept in quarantine; the lake has the version before."""
    UNSETTLED = "unsettled"
    """It differs, and whether a change is on its way could not be told."""


DIFFERENCES = frozenset({Verdict.MISSING, Verdict.EXTRA, Verdict.CHANGED, Verdict.DOUBLED})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One key and what is the matter with it."""

    key: Key | None
    """None for rows of the lake without a key."""
    verdict: Verdict
    detail: str = ""
    """The columns that differ, the raw file that is waited for, the place and reasons of a quarantined change."""


@dataclass(kw_only=True)
class TableReconciliation:
    """A table of the source against the lake."""

    table: str
    commit: str | None = None
    """The lake's version whose buckets were compared; None when the table does not exist yet."""
    source_rows: int = 0
    lake_rows: int = 0
    """The lake's rows that come from the database."""
    buckets: int = 0
    buckets_differing: int = 0
    keys_read_again: int = 0
    """Keys of differing buckets that were not equal when they were looked at one by one."""
    columns_left_out: tuple[str, ...] = ()
    """The contract's columns that the source no longer has: the lake keeps what they held."""
    seconds: float = 0.0
    counts: Counter[Verdict] = field(default_factory=Counter)
    sample: list[Finding] = field(default_factory=list)
    """Some of each verdict, differences first."""

    def add(self, finding: Finding) -> None:
        self.counts[finding.verdict] += 1
        if self.counts[finding.verdict] <= SAMPLE_OF_A_VERDICT:
            self.sample.append(finding)
            self.sample.sort(key=lambda one: list(Verdict).index(one.verdict))

    @property
    def differences(self) -> int:
        return sum(self.counts[verdict] for verdict in DIFFERENCES)

    @property
    def unsettled(self) -> int:
        return self.counts[Verdict.UNSETTLED]

    def describe(self) -> str:
        """One sentence for the operator."""
        found = [f"{self.counts[verdict]:,} {verdict}" for verdict in Verdict if self.counts[verdict]]
        rows = f"{self.source_rows:,} rows of the source, {self.lake_rows:,} of the lake"
        return f"{rows}: {', '.join(found) if found else 'all equal'}"
