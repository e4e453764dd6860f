"""The plan that makes a table from all that raw has, as if there were none. Pure: listings in, plan out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from autocorp_assets.contracts.model import TableContract
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.pending import pending
from spark_jobs.plan import ChangeFile, Delivery, FileKind, LoadManifest, SourceFile, TablePlan

Arrivals = Mapping[tuple[str, str], Sequence[int]]
"""By name and ETag of a delivery's content, its ordinals, ascending: the same content may come once more."""


@dataclass(frozen=True, kw_only=True)
class KeptAside:
    """Content of a delivery that a corrected file of the same name replaced."""

    path: str
    """Relative to the lake's root."""
    delivered_as: str
    """The path that it had."""
    day: str
    """YYYYMMDD, the date in that name."""
    etag: str
    size: int
    replaced: datetime
    """When it was put aside."""

    @property
    def name(self) -> str:
        return self.delivered_as.rsplit("/", 1)[-1]


def plan_from_nothing(
    contract: TableContract,
    *,
    commit: str | None,
    revision: int,
    manifests: Sequence[LoadManifest],
    changes: Sequence[ChangeFile],
    deliveries: Sequence[Delivery],
    kept_aside: Sequence[KeptAside],
    arrivals: Arrivals,
    listed_at: datetime,
) -> TablePlan:
    """The plan for a table.

    Every file is judged anew: its account takes the place of any before. Content that was kept aside counts as it
    did when it came; it has no account, since the file that replaced it has.

    Args:
        contract: the table.
        commit: its newest commit, None when it does not exist.
        revision: of that commit.
        manifests: complete loads of the table, in any order.
        changes: all change files of the table.
        deliveries: whole CSV files of the table's feed.
        kept_aside: content that such files had before.
        arrivals: in which order runs have seen contents, as far as it is known.
        listed_at: when the listings were begun.
    """
    plan = pending(
        contract,
        commit=commit,
        checkpoint=Checkpoint(revision=revision),
        manifests=manifests,
        changes=changes,
        deliveries=deliveries,
        listed_at=listed_at,
    )
    database = [replace(file, judged_before=revision > 0) for file in plan.database_files]
    exports = [replace(file, judged_before=revision > 0) for file in plan.csv_files]
    exports += [
        SourceFile(
            path=content.path,
            kind=FileKind.CSV,
            replay=True,
            day=content.day,
            etag=content.etag,
            size=content.size,
            delivered_as=content.delivered_as,
        )
        for content in sorted(kept_aside, key=lambda content: (content.day, content.replaced))
    ]
    return replace(plan, files=(*database, *in_order_of_arrival(exports, arrivals)), from_nothing=True)


def in_order_of_arrival(files: Sequence[SourceFile], arrivals: Arrivals) -> list[SourceFile]:
    """The CSV files with the ordinals of their contents.

    Contents that no run has seen come after those that one has. Where it is not known in which order a name had its
    contents, all are numbered anew: those that were kept aside in the order given, before the current one.
    """
    seen = {file.path: _ordinal(file, arrivals) for file in files}
    known = [(ordinal, file) for file in files if (ordinal := seen[file.path]) is not None]
    new = [file for file in files if seen[file.path] is None]
    following = max((ordinal for ordinal, _ in known), default=0) + 1
    numbered = [*sorted(known, key=lambda found: found[0]), *enumerate(new, following)]
    if not _is_plausible(numbered):
        numbered = list(enumerate(sorted(files, key=lambda file: (file.day, not file.delivered_as)), 1))
    return [replace(file, ordinal=ordinal) for ordinal, file in numbered]


def _ordinal(file: SourceFile, arrivals: Arrivals) -> int | None:
    """A current content has come last, one that was kept aside may have come again."""
    ordinals = arrivals.get(((file.delivered_as or file.path).rsplit("/", 1)[-1], file.etag))
    return None if not ordinals else ordinals[0 if file.delivered_as else -1]


def _is_plausible(numbered: Sequence[tuple[int, SourceFile]]) -> bool:
    """Whether every content has a number of its own, and of each name (a day) the current one has the greatest."""
    current = {file.day: ordinal for ordinal, file in numbered if not file.delivered_as}
    aside = [(file.day, ordinal) for ordinal, file in numbered if file.delivered_as]
    in_order = all(ordinal < current.get(day, ordinal + 1) for day, ordinal in aside)
    return in_order and len({ordinal for ordinal, _ in numbered}) == len(numbered)
