"""Statements by which Athena changes its catalog: no rows come back, nothing is scanned, and none is charged for.

Sent are only statements that this package makes of contracts and of `queries/views`, never an analyst's.
"""

from __future__ import annotations

from dataclasses import dataclass

import tenacity

from autocorp_assets.resources.aws.athena import POLL_SECONDS, ended_execution, failure_of
from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.ports.catalog import CatalogError

DEADLINE_SECONDS = 5 * 60.0
"""Such a statement takes seconds; Athena itself would let it wait for ten minutes (DDL query timeout)."""


@dataclass(frozen=True, kw_only=True)
class AthenaDdl:
    """Runs one statement at a time in a workgroup."""

    workgroup: str
    poll_seconds: float = POLL_SECONDS
    """Before the second look; each later pause is longer."""
    deadline_seconds: float = DEADLINE_SECONDS

    def run(self, statement: str, *, what: str) -> None:
        """Return once Athena has done it.

        Args:
            statement: in Athena's SQL, all its tables with their schema.
            what: what it does, for the message of a failure.

        Raises:
            CatalogError: Athena refuses it, fails, or takes longer than the deadline.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        athena = client("athena")
        try:
            started = athena.start_query_execution(QueryString=statement, WorkGroup=self.workgroup)
            execution = ended_execution(
                started["QueryExecutionId"], poll_seconds=self.poll_seconds, deadline_seconds=self.deadline_seconds
            )
        except (ClientError, BotoCoreError) as error:
            raise CatalogError(f"{what}: {explain(error)}") from error
        except tenacity.RetryError:
            raise CatalogError(
                f"{what}: Athena has not ended after {self.deadline_seconds:,.0f} s; look at the queue of workgroup "
                f"{self.workgroup} in its console, and run this again"
            ) from None
        if execution["Status"]["State"] != "SUCCEEDED":
            raise CatalogError(f"{what}: {failure_of(execution)}")
