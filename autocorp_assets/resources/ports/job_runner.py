"""Spark jobs, of which one at a time writes the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autocorp_assets.resources.ports.progress import Progress

if TYPE_CHECKING:
    import dagster as dg

    from spark_jobs.plan import TablePlan


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """What a job said, and how it ended."""

    results: tuple[dg.MaterializeResult, ...]
    """Tables that it committed."""
    messages: tuple[Mapping[str, Any], ...]
    """Tables that it could not curate: `{"table", "error", "file"}`."""
    ended: str | None
    """How it died, None when it ended well."""
    log: Path | str
    """Where its output is."""
    tail: str = ""
    """Last lines of the output; empty when it ended well."""
    retry_soon: bool = True
    """Whether a job that died is worth a second one at once; where jobs cost money, automation asks again later."""


class JobError(RuntimeError):
    """The job could not be started or followed; the message says why and what to do."""


class JobRunner(Protocol):
    """Runs the Spark job that applies plans."""

    def hold_writer(self, *, on_wait: Progress) -> AbstractContextManager[WriterHold]:
        """Keep every other writer out of the lake while inside, beyond this Dagster instance.

        Plans are to be made inside, since what is pending changes with each commit.

        Raises JobError, as `run` does, when nobody can say who writes, or another writer does not end.
        """
        ...


class WriterHold(Protocol):
    """The right to write, and the way to use it."""

    def run(self, *, context: dg.AssetExecutionContext, plans: Sequence[TablePlan]) -> JobOutcome:
        """Returns also when the job died: its tables are then missing from the results."""
        ...
