"""Queries by Athena, in a named workgroup: it says where results go and how much one query may scan."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import tenacity

from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.result import QueryResult, Scan
from autocorp_assets.resources.aws.athena_values import parameter, result_table, type_name
from autocorp_assets.resources.aws.clients import client, explain

DATABASE = "autocorp"
"""Of names without one."""
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
POLL_SECONDS = 0.5
POLL_SECONDS_MAX = 5.0
POLL_GROWTH = 1.5
DEADLINE_SECONDS = 30 * 60.0
"""Athena's own limit of a query's run time (Service Quotas, DML query timeout), unless it was raised."""
PAGE_ROWS = 1000
"""The most that one answer holds, by the service's model."""
DOLLARS_PER_TB = 5.0
LEAST_BYTES = 10 * 10**6
"""Price and minimum of a query by https://aws.amazon.com/athena/pricing/ (most regions). Failed ones are free."""
SCAN_LIMIT = "Bytes scanned limit was exceeded"
SYSTEM_ERROR = 1
"""AthenaError's category of what is not the query's fault."""


@dataclass(frozen=True, kw_only=True)
class AthenaQuery:
    """Query: what Athena gets is the analyst's own text, once it is sure that it only reads."""

    workgroup: str
    poll_seconds: float = POLL_SECONDS
    """Before the second look; each later pause is longer, up to POLL_SECONDS_MAX."""
    deadline_seconds: float = DEADLINE_SECONDS

    def run(self, sql: str, *, parameters: Sequence[object] = ()) -> QueryResult:
        """As the port says. An interrupted query is stopped, also in Athena.

        Raises:
            QueryError: also for a query that takes longer than the deadline, and when Athena cannot be asked.
        """
        from autocorp_assets.query.dialect import guard
        from autocorp_assets.query.views import lake_catalog

        started = time.perf_counter()
        statement = guard(sql, catalog=lake_catalog())
        with _told_to_analysts(self.workgroup):
            query = self._start(statement, [parameter(value) for value in parameters])
            with _stopped_when_left(query):
                execution = self._wait(query)
            if execution["Status"]["State"] != "SUCCEEDED":
                raise QueryError(failure_of(execution))
            columns, rows = _results(query)
        return QueryResult(
            columns=tuple(column["Name"] for column in columns),
            types=tuple(map(type_name, columns)),
            table=result_table(columns, rows),
            seconds=time.perf_counter() - started,
            scan=scan_of(execution.get("Statistics", {}).get("DataScannedInBytes", 0)),
        )

    def _start(self, sql: str, parameters: list[str]) -> str:
        started = client("athena").start_query_execution(
            QueryString=sql,
            WorkGroup=self.workgroup,
            QueryExecutionContext={"Database": DATABASE},
            # An empty list is refused.
            **({"ExecutionParameters": parameters} if parameters else {}),
        )
        return started["QueryExecutionId"]

    def _wait(self, query: str) -> dict[str, Any]:
        """The execution, once it has ended."""
        try:
            return ended_execution(query, poll_seconds=self.poll_seconds, deadline_seconds=self.deadline_seconds)
        except tenacity.RetryError:
            raise QueryError(
                f"the query has not ended after {self.deadline_seconds / 60:,.0f} minutes and was stopped: ask for "
                "less (fewer columns, a filter, a LIMIT), or look at the workgroup's queue in Athena's console"
            ) from None


def ended_execution(query: str, *, poll_seconds: float, deadline_seconds: float) -> dict[str, Any]:
    """A statement's execution, once it has ended; looks come at growing intervals.

    Raises:
        tenacity.RetryError: it has not ended after `deadline_seconds`.
    """

    def look() -> dict[str, Any]:
        return client("athena").get_query_execution(QueryExecutionId=query)["QueryExecution"]

    wait = tenacity.wait_exponential(multiplier=poll_seconds, exp_base=POLL_GROWTH, max=POLL_SECONDS_MAX)
    stop = tenacity.stop_after_delay(deadline_seconds)
    return tenacity.Retrying(wait=wait, stop=stop, retry=tenacity.retry_if_result(_goes_on))(look)


def scan_of(scanned: int) -> Scan:
    """What reading so many bytes costs."""
    charged = max(scanned, LEAST_BYTES) if scanned else 0
    return Scan(bytes=scanned, dollars=charged / 10**12 * DOLLARS_PER_TB)


def failure_of(execution: dict[str, Any]) -> str:
    """Why a query has not succeeded, and what to do where that is known."""
    status, query = execution["Status"], execution["QueryExecutionId"]
    error = status.get("AthenaError", {})
    reason = status.get("StateChangeReason") or error.get("ErrorMessage") or "Athena says no more"
    if status["State"] == "CANCELLED" and SCAN_LIMIT not in reason:
        return f"the query was cancelled: {reason}"
    if SCAN_LIMIT in reason:
        return f"{reason}: select fewer columns or filter by partition, or have the workgroup's limit raised"
    if error.get("Retryable") or error.get("ErrorCategory") == SYSTEM_ERROR:
        return f"Athena failed, not the query: {reason}. Run it again (execution {query})"
    return reason


def _goes_on(execution: dict[str, Any]) -> bool:
    return execution["Status"]["State"] not in ENDED


@contextmanager
def _stopped_when_left(query: str) -> Generator[None]:
    """A query that nobody waits for any longer must not go on and cost money."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except BaseException:
        # Whoever leaves has a reason of their own, which this must not hide.
        with suppress(ClientError, BotoCoreError):
            client("athena").stop_query_execution(QueryExecutionId=query)
        raise


@contextmanager
def _told_to_analysts(workgroup: str) -> Generator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        said = getattr(error, "response", {}).get("Error", {})
        message = said.get("Message", "")
        if said.get("Code") != "InvalidRequestException":
            raise QueryError(f"Athena cannot be asked: {explain(error)}") from error
        if "WorkGroup" in message:
            raise QueryError(
                f"Athena has no workgroup {workgroup} that takes queries ({message}): name it in AUTOCORP_AWS_WORKGROUP"
            ) from error
        raise QueryError(f"Athena does not take the query: {message}") from error


def _results(query: str) -> tuple[list[dict[str, Any]], list[list[str | None]]]:
    """Columns and rows of all pages."""
    pages = (
        client("athena")
        .get_paginator("get_query_results")
        .paginate(QueryExecutionId=query, PaginationConfig={"PageSize": PAGE_ROWS})
    )
    columns: list[dict[str, Any]] = []
    rows: list[list[str | None]] = []
    for page in pages:
        found = page["ResultSet"]
        columns = columns or found["ResultSetMetadata"]["ColumnInfo"]
        rows += [_texts(row, len(columns)) for row in found["Rows"]]
    # The first row of a query repeats the names; of SHOW and DESCRIBE it does not.
    has_header = rows[:1] == [[column["Name"] for column in columns]]
    return columns, rows[1:] if has_header else rows


def _texts(row: dict[str, Any], width: int) -> list[str | None]:
    """A row's values; DESCRIBE gives one text with tabs for several columns."""
    values = [datum.get("VarCharValue") for datum in row.get("Data", [])]
    if len(values) == 1 < width:
        values = [part.strip() for part in (values[0] or "").split("\t")]
    return [*values[:width], *[None] * (width - len(values))]
