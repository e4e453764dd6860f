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
    REPLACED = "replaced"
    """Of an export: the lake has it from a file that was corrected since, and the new content does not name it."""
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
class Comparison:
    """What is to be said of the keys of two sides."""

    table: str
    commit: str | None = None
    """The lake's version that was compared; None when the table does not exist yet."""
    lake_rows: int = 0
    """The lake's rows that come from the other side."""
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

    @property
    def verdicts_told(self) -> str:
        """In words, the counts of what is not equal."""
        found = [f"{self.counts[verdict]:,} {verdict}" for verdict in Verdict if self.counts[verdict]]
        return ", ".join(found) or "all equal"


@dataclass(kw_only=True)
class TableReconciliation(Comparison):
    """A table of the source against the lake."""

    source_rows: int = 0
    buckets: int = 0
    buckets_differing: int = 0
    keys_read_again: int = 0
    """Keys of differing buckets that were not equal when they were looked at one by one."""
    columns_left_out: tuple[str, ...] = ()
    """The contract's columns that the source no longer has: the lake keeps what they held."""

    def describe(self) -> str:
        """One sentence for the operator."""
        return f"{self.source_rows:,} rows of the source, {self.lake_rows:,} of the lake: {self.verdicts_told}"


@dataclass(kw_only=True)
class ExportReconciliation(Comparison):
    """Everything that a feed has delivered against the lake, by record key."""

    feed: str
    files: int = 0
    """Deliveries that were read."""
    files_refused: int = 0
    """Refused as a whole: none of their rows is in the lake."""
    files_waiting: int = 0
    """In raw, and not taken in yet."""
    files_gone: int = 0
    """Taken in, and no longer in raw: what they held cannot be told."""
    rows_read: int = 0
    rows_quarantined: int = 0
    """Of those read."""
    keys: int = 0
    """Records that the lake must hold."""

    def describe(self) -> str:
        """One sentence for the operator."""
        return (
            f"{self.rows_read:,} rows of {self.files:,} exports are {self.keys:,} records and "
            f"{self.rows_quarantined:,} rows in quarantine, {self.lake_rows:,} are in the lake: {self.verdicts_told}"
        )
