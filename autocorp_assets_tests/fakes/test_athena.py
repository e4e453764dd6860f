"""The fake Athena obeys the rules that AWS documents, and everything that it replaces in moto is still there."""

from __future__ import annotations

import inspect
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from deltalake import write_deltalake
from moto.athena.models import AthenaBackend
from moto.athena.responses import AthenaResponse

from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.aws.clients import client
from autocorp_assets_tests.fakes.athena import PATCHED, QueryFailure, athena_queries, make_workgroup
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

LAKE = f"s3://{LAKE_BUCKET}/lake"


@pytest.fixture(autouse=True)
def athena(aws: FakeAws) -> Any:
    make_workgroup()
    athena_queries.lake = LAKE
    write_deltalake(f"{LAKE}/{TABLES['auto_parts'].lake_path}", pa.table({"sku": [f"P{n:04d}" for n in range(1500)]}))
    return client("athena")


def start(sql: str, **more: Any) -> str:
    context = {"Database": "autocorp"}
    started = client("athena").start_query_execution(
        QueryString=sql, WorkGroup="autocorp", QueryExecutionContext=context, **more
    )
    return started["QueryExecutionId"]


def state(query: str) -> str:
    return client("athena").get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"]


def finished(sql: str, **more: Any) -> dict[str, Any]:
    query = start(sql, **more)
    state(query)
    return client("athena").get_query_execution(QueryExecutionId=query)["QueryExecution"]


def test_what_is_replaced_is_still_in_moto():
    for function in PATCHED:
        assert inspect.isfunction(getattr(AthenaResponse, function.__name__))
    assert hasattr(AthenaBackend, "_process_ddl")
    assert hasattr(AthenaBackend, "get_work_group")


def test_states_follow_each_other():
    query = start("SELECT 1")

    assert [state(query) for _ in range(3)] == ["RUNNING", "SUCCEEDED", "SUCCEEDED"]


def test_results_wait_for_the_end():
    with pytest.raises(ClientError, match="has not yet finished"):
        client("athena").get_query_results(QueryExecutionId=start("SELECT 1"))


def test_a_header_comes_once_and_pages_have_a_thousand_rows():
    done = finished("SELECT sku FROM auto_parts ORDER BY sku")
    pages = list(
        client("athena").get_paginator("get_query_results").paginate(QueryExecutionId=done["QueryExecutionId"])
    )

    rows = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 501]
    assert rows[:2] == ["sku", "P0000"]
    assert done["Statistics"]["DataScannedInBytes"] > 0
    assert done["StatementType"] == "DML"


def test_parameters_are_sql_literals():
    found = finished("SELECT count(*) FROM auto_parts WHERE sku IN (?, ?)", ExecutionParameters=["'P0001'", "'x'' y'"])
    assert found["Status"]["State"] == "SUCCEEDED"
    wrong = finished("SELECT ?, ?", ExecutionParameters=["1"])
    assert wrong["Status"]["StateChangeReason"].endswith("expected 2 but found 1")


def test_a_wrong_name_fails_and_wrong_syntax_is_refused_at_once():
    failed = finished("SELECT skuu FROM auto_parts")
    assert (failed["Status"]["State"], failed["Status"]["AthenaError"]["ErrorCategory"]) == ("FAILED", 2)
    with pytest.raises(ClientError, match="mismatched input"):
        start("SELECT FROM WHERE")


def test_a_query_stops_and_a_failure_is_given_once():
    athena_queries.holds = True
    query = start("SELECT 1")
    assert [state(query) for _ in range(3)] == ["RUNNING"] * 3
    client("athena").stop_query_execution(QueryExecutionId=query)
    assert state(query) == "CANCELLED"
    athena_queries.holds = False
    athena_queries.failures.append(QueryFailure(reason="out of resources"))
    assert [finished("SELECT 1")["Status"]["State"] for _ in range(2)] == ["FAILED", "SUCCEEDED"]


def test_one_execution_for_a_token():
    token = "t" * 32

    assert start("SELECT 1", ClientRequestToken=token) == start("SELECT 1", ClientRequestToken=token)


def test_what_is_no_query_goes_to_the_hooks():
    told: list[str] = []

    def hook(sql: str) -> list[list[str]] | None:
        told.append(sql)
        return [["made"]] if sql.startswith("CREATE OR REPLACE VIEW") else None

    athena_queries.on_ddl.append(hook)

    assert finished("CREATE OR REPLACE VIEW v AS SELECT 1")["StatementType"] == "DDL"
    assert finished("DROP VIEW v")["Status"]["State"] == "FAILED"
    assert finished("SHOW TABLES")["Status"]["State"] == "SUCCEEDED"
    assert told == ["CREATE OR REPLACE VIEW v AS SELECT 1", "DROP VIEW v", "SHOW TABLES"]


def test_an_unknown_workgroup_or_query_is_refused():
    with pytest.raises(ClientError, match="WorkGroup nobodys is not found"):
        client("athena").start_query_execution(QueryString="SELECT 1", WorkGroup="nobodys")
    with pytest.raises(ClientError, match="was not found"):
        client("athena").get_query_execution(QueryExecutionId="none")
