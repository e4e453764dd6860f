"""Athena on moto that really answers: the SQL runs on our own engine, over the lake in moto's S3.

From AWS's documents and botocore's model: the states and their order, StateChangeReason and AthenaError, one execution
for a client token, values as text, names of types, a header as the first row of a query's first page only, pages of at
most 1,000 rows, SQL literals as execution parameters, DataScannedInBytes, what cannot be asked of a query that has
not ended.

Not AWS: the engine is DuckDB behind sqlglot, so which SQL Athena takes, and how its readers see Hudi and Delta, is not
proven; a query scans all bytes of the files of its tables, whatever its columns. What is no query (CREATE, DROP, SHOW,
MSCK, …) is given to the functions of `AthenaQueries.on_ddl`.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlglot
from moto.athena.models import AthenaBackend
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError
from sqlglot import exp

from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.snapshots import read_snapshot
from autocorp_assets.query.dialect import translate
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.result import QueryResult
from autocorp_assets.query.view_files import tables_below, view_files
from autocorp_assets.query.views import lake_catalog

MOST_ROWS = 1000
"""Of a page."""
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
USER_ERROR = 2
Ddl = Callable[[str], "list[list[str]] | None"]
"""Rows of a statement that is no query, None when it is not for this function; raises QueryError to fail it."""
TYPE_BY_DUCKDB = {"VARCHAR": "varchar", "TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "BLOB": "varbinary"}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


@dataclass(frozen=True, kw_only=True)
class QueryFailure:
    """How one execution fails."""

    reason: str
    category: int = 1
    """1 system, 2 user, 3 other."""
    is_retryable: bool = False
    state: str = "FAILED"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Texts, None for NULL."""

    columns: Sequence[dict[str, Any]]
    rows: Sequence[Sequence[str | None]]
    has_header: bool = False
    scanned: int = 0


@dataclass
class Execution:
    """One query; a look at it moves it one state on."""

    id: str
    query: str
    parameters: list[str]
    context: dict[str, str]
    workgroup: str
    outcome: Answer | QueryFailure
    state: str = "QUEUED"
    submitted: float = field(default_factory=time.time)

    def advance(self) -> None:
        if self.state == "QUEUED":
            self.state = "RUNNING"
        elif self.state == "RUNNING" and not athena_queries.holds:
            self.state = self.outcome.state if isinstance(self.outcome, QueryFailure) else "SUCCEEDED"

    @property
    def is_query(self) -> bool:
        return isinstance(self.outcome, Answer) and self.outcome.has_header


@dataclass
class AthenaQueries:
    """What the test says of the queries to come, and what became of those that were."""

    lake: str | None = None
    """Root of the lake that they read, `s3://…`."""
    on_ddl: list[Ddl] = field(default_factory=list)
    """Asked in this order about each statement that is no query."""
    failures: list[QueryFailure] = field(default_factory=list)
    """Each fails one execution, in the order in which they start."""
    holds: bool = False
    """Queries stay RUNNING until somebody stops them."""
    executions: dict[str, Execution] = field(default_factory=dict)
    by_token: dict[str, str] = field(default_factory=dict)

    def forget(self) -> None:
        self.__init__()


athena_queries = AthenaQueries()
"""Of this process's server; moto's reset empties it."""


class InvalidRequest(JsonRESTError):
    """Something is wrong with the request."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRequestException", message)


def start_query_execution(self: AthenaResponse) -> str:
    token = self._get_param("ClientRequestToken")
    known = athena_queries.by_token.get(token)
    if known is not None:
        return json.dumps({"QueryExecutionId": known})
    workgroup = self._get_param("WorkGroup") or "primary"
    if self.athena_backend.get_work_group(workgroup) is None:
        raise InvalidRequest(f"WorkGroup {workgroup} is not found.")
    query, parameters = self._get_param("QueryString"), self._get_param("ExecutionParameters") or []
    context = self._get_param("QueryExecutionContext") or {}
    _refuse_malformed(query)
    execution = Execution(
        id=str(uuid.uuid4()),
        query=query,
        parameters=parameters,
        context=context,
        workgroup=workgroup,
        outcome=_outcome(self.athena_backend, query, parameters, context),
    )
    athena_queries.executions[execution.id] = execution
    athena_queries.by_token[token] = execution.id
    return json.dumps({"QueryExecutionId": execution.id})


def get_query_execution(self: AthenaResponse) -> str:
    execution = _execution(self)
    execution.advance()
    return json.dumps({"QueryExecution": _described(execution)})


def get_query_results(self: AthenaResponse) -> str:
    execution = _execution(self)
    if execution.state != "SUCCEEDED" or not isinstance(execution.outcome, Answer):
        raise InvalidRequest(f"Query has not yet finished. Current state: {execution.state}")
    most = self._get_param("MaxResults") or MOST_ROWS
    if not 1 <= most <= MOST_ROWS:
        raise InvalidRequest(f"MaxResults is more than maximum allowed length {MOST_ROWS}.")
    answer = execution.outcome
    header = [[column["Name"] for column in answer.columns]] if answer.has_header else []
    rows = [*header, *answer.rows]
    first = int(self._get_param("NextToken") or 0)
    told: dict[str, Any] = {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [{"Data": [_datum(value) for value in row]} for row in rows[first : first + most]],
            "ResultSetMetadata": {"ColumnInfo": list(answer.columns)},
        },
    }
    return json.dumps({**told, "NextToken": str(first + most)} if first + most < len(rows) else told)


def stop_query_execution(self: AthenaResponse) -> str:
    execution = _execution(self)
    if execution.state not in ENDED:
        execution.state = "CANCELLED"
        execution.outcome = QueryFailure(reason="Query cancelled by user", category=USER_ERROR, state="CANCELLED")
    return "{}"


def _execution(response: AthenaResponse) -> Execution:
    name = response._get_param("QueryExecutionId")
    if name not in athena_queries.executions:
        raise InvalidRequest(f"QueryExecution {name} was not found")
    return athena_queries.executions[name]


def _described(execution: Execution) -> dict[str, Any]:
    status: dict[str, Any] = {"State": execution.state, "SubmissionDateTime": execution.submitted}
    if execution.state in ENDED:
        status["CompletionDateTime"] = time.time()
    outcome = execution.outcome
    if isinstance(outcome, QueryFailure) and execution.state in ENDED:
        status["StateChangeReason"] = outcome.reason
        if execution.state == "FAILED":
            status["AthenaError"] = {
                "ErrorCategory": outcome.category,
                "ErrorType": 0,
                "Retryable": outcome.is_retryable,
                "ErrorMessage": outcome.reason,
            }
    scanned = outcome.scanned if isinstance(outcome, Answer) and execution.state == "SUCCEEDED" else 0
    return {
        "QueryExecutionId": execution.id,
        "Query": execution.query,
        "StatementType": "DML" if execution.is_query else "UTILITY" if _is_listing(execution.query) else "DDL",
        "ResultConfiguration": {"OutputLocation": f"s3://results/{execution.id}.csv"},
        "QueryExecutionContext": execution.context,
        "Status": status,
        "Statistics": {
            "EngineExecutionTimeInMillis": 120,
            "DataScannedInBytes": scanned,
            "TotalExecutionTimeInMillis": 250,
            "QueryQueueTimeInMillis": 80,
            "ServiceProcessingTimeInMillis": 20,
        },
        "WorkGroup": execution.workgroup,
        **({"ExecutionParameters": execution.parameters} if execution.parameters else {}),
    }


def _datum(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}


def _refuse_malformed(query: str) -> None:
    """Athena parses a query before it starts it."""
    if not _is_query(query):
        return
    try:
        sqlglot.parse_one(query, read="athena")
    except sqlglot.errors.ParseError as error:
        first = error.errors[0]
        raise InvalidRequest(f"line {first['line']}:{first['col']}: mismatched input '{first['highlight']}'") from error


def _outcome(
    backend: AthenaBackend, query: str, parameters: list[str], context: dict[str, str]
) -> Answer | QueryFailure:
    if athena_queries.failures:
        return athena_queries.failures.pop(0)
    try:
        for function in athena_queries.on_ddl if not _is_query(query) else ():
            if (rows := function(query)) is not None:
                return _listing(rows)
        if _is_query(query) or _is_listing(query):
            return _ask(_bound(query, parameters), context)
        backend._process_ddl(query, None)
        if not re.match(r"\s*(CREATE|DROP)\s+(DATABASE|SCHEMA)\b", query, re.IGNORECASE):
            raise QueryError("FAILED: nothing in this fake takes the statement")
    except QueryError as error:
        return QueryFailure(reason=str(error), category=USER_ERROR)
    return _listing([])


def _is_query(query: str) -> bool:
    return bool(re.match(r"(\s|\(|--.*\n)*(SELECT|WITH|VALUES|EXPLAIN|TABLE)\b", query, re.IGNORECASE))


def _is_listing(query: str) -> bool:
    return bool(re.match(r"\s*(SHOW|DESCRIBE)\b", query, re.IGNORECASE))


def _bound(query: str, parameters: list[str]) -> str:
    """The query with each `?` replaced by the SQL that was given for it."""
    if "?" not in query and not parameters:
        return query
    tree = sqlglot.parse_one(query, read="athena")
    places = list(tree.find_all(exp.Placeholder, bfs=False))
    if len(places) != len(parameters):
        counts = f"expected {len(places)} but found {len(parameters)}"
        raise QueryError(f"INVALID_PARAMETER_USAGE: Incorrect number of parameters: {counts}")
    for place, literal in zip(places, parameters, strict=True):
        place.replace(sqlglot.parse_one(literal, read="athena"))
    return tree.sql(dialect="athena")


def _ask(query: str, context: dict[str, str]) -> Answer:
    if athena_queries.lake is None:
        raise QueryError("the test has not said where the lake is (athena_queries.lake)")
    if context.get("Database") not in ("autocorp", "autocorp_lake"):
        raise QueryError(f"SCHEMA_NOT_FOUND: line 1:15: Schema '{context.get('Database')}' does not exist")
    result = LakeQuery(athena_queries.lake).run(query)
    return Answer(
        columns=[_column(name, of) for name, of in zip(result.columns, result.types, strict=True)],
        rows=[[athena_text(value) for value in row] for row in result.rows()],
        has_header=_is_query(query),
        scanned=_scanned(query, result),
    )


def _scanned(query: str, result: QueryResult) -> int:
    if not _is_query(query) or athena_queries.lake is None:
        return 0
    tables = tables_below(translate(query, catalog=lake_catalog()).tables, view_files()) - {*result.absent}
    snapshots = [read_snapshot(athena_queries.lake, TABLES[name]) for name in tables]
    return sum(snapshot.bytes for snapshot in snapshots if snapshot)


def _listing(rows: Sequence[Sequence[str]]) -> Answer:
    # DESCRIBE says that it has several columns, and gives them as one text with tabs.
    width = max((len(row) + row[0].count("\t") for row in rows), default=1)
    return Answer(columns=[_column(f"col_{number}", "VARCHAR") for number in range(width)], rows=rows)


def _column(name: str, duckdb_type: str) -> dict[str, Any]:
    decimal = _DECIMAL.fullmatch(duckdb_type)
    kind = "decimal" if decimal else TYPE_BY_DUCKDB.get(duckdb_type, duckdb_type.partition("(")[0].lower())
    if duckdb_type.endswith("[]"):
        kind = "array"
    precision, scale = (int(decimal[1]), int(decimal[2])) if decimal else (0, 0)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": kind,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind == "varchar",
    }


def athena_text(value: Any) -> str | None:  # noqa: PLR0911 one for each type
    """A value as get_query_results gives it."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case datetime():
            utc = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
            text = utc.isoformat(sep=" ", timespec="milliseconds")
            return text if value.tzinfo is None else f"{text} UTC"
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.hex(" ")
        case list():
            return f"[{', '.join(athena_text(item) or 'null' for item in value)}]"
        case dict():
            return "{" + ", ".join(f"{name}={athena_text(item)}" for name, item in value.items()) + "}"
    return str(value)


def reset(self: AthenaBackend) -> None:
    athena_queries.forget()
    _MOTO_RESET(self)


_MOTO_RESET = AthenaBackend.reset
PATCHED = (start_query_execution, get_query_execution, get_query_results, stop_query_execution)


def install() -> None:
    """Once for a process."""
    for function in PATCHED:
        setattr(AthenaResponse, function.__name__, function)
    AthenaBackend.reset = reset  # ty: ignore[invalid-assignment]


def make_workgroup(name: str = "autocorp") -> None:
    """As the infrastructure makes it, through the API."""
    from autocorp_assets.resources.aws.clients import client

    location = {"OutputLocation": "s3://autocorp-test/athena/"}
    configuration = {"ResultConfiguration": location, "EnforceWorkGroupConfiguration": True}
    client("athena").create_work_group(Name=name, Configuration=configuration)
