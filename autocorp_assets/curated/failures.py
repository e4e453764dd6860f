"""Tables of a run that were not curated, and what is said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.resources.ports.job_runner import JobOutcome
from spark_jobs.plan import TablePlan


@dataclass(frozen=True, kw_only=True)
class BadTable:
    """Why a table was not curated."""

    table: str
    error: str
    file: str | None = None

    @property
    def reason(self) -> str:
        """The error, and the file that has caused it."""
        return f"{self.error} (file {self.file})" if self.file and self.file not in self.error else self.error


def bad_tables(outcome: JobOutcome, pending: Sequence[TablePlan]) -> list[BadTable]:
    """Every table of the job that has no new commit, with the reason that the job gave or its death."""
    good = {result.asset_key for result in outcome.results}
    told = {message["table"]: message for message in outcome.messages if "error" in message}
    bad = []
    for name in (plan.table for plan in pending):
        if message := told.get(name):
            bad.append(BadTable(table=name, error=message["error"], file=message.get("file")))
        elif curated_key(name) not in good:
            reason = outcome.ended or "the Spark job ended without a word about this table"
            bad.append(BadTable(table=name, error=f"{reason}; nothing of it was committed"))
    return bad


def raise_for_bad(
    outcome: JobOutcome | None,
    pending: Sequence[TablePlan],
    unplanned: Mapping[str, str],
    retry_delay_seconds: float,
) -> None:
    """Nothing where every table was curated.

    Args:
        outcome: of the job; None where there was nothing to do.
        pending: what the job was asked to do.
        unplanned: tables of which nobody could tell what is to be done, and why.
        retry_delay_seconds: before a second try.

    Raises:
        dg.Failure: with each bad table's reason.
        dg.RetryRequested: the process died, and a second try may go well.
    """
    bad = [BadTable(table=table, error=reason) for table, reason in unplanned.items()]
    bad += bad_tables(outcome, pending) if outcome else []
    if not bad:
        return
    failure = dg.Failure(
        description="\n".join(
            [
                f"{len(bad)} of {len(pending) + len(unplanned)} tables were not curated; the others are up to date.",
                *(f"- {table.table}: {table.reason}" for table in bad),
                "Raw keeps every file: once the cause is gone, run again."
                + (f" Log of the job: {outcome.log}" if outcome else ""),
                *([f"Its last lines:\n{outcome.tail}"] if outcome and outcome.tail else []),
            ]
        ),
        metadata={
            **({"job_log": job_log(outcome)} if outcome else {}),
            "errors": {table.table: table.reason for table in bad},
        },
        # What cannot be read now cannot be read in a moment either.
        allow_retries=outcome is not None,
    )
    if outcome is None or outcome.ended is None or not outcome.retry_soon:
        raise failure
    # Data that is refused once is refused again; only a process that died deserves a second try: commits are
    # atomic, and the second run plans anew. Not a RetryPolicy, which Dagster applies to Ctrl-C as well.
    raise dg.RetryRequested(max_retries=1, seconds_to_wait=retry_delay_seconds) from failure


def job_log(outcome: JobOutcome) -> dg.MetadataValue:
    """A link to the job's output."""
    log = str(outcome.log)
    return dg.MetadataValue.url(log) if "://" in log else dg.MetadataValue.path(log)
