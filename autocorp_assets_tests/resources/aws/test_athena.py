"""Queries through Athena: what is sent, what comes back as which type, and what an analyst is told when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from unittest.mock import patch

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from autocorp_assets.contracts import TABLES
from autocorp_assets.query.errors import QueryError
from autocorp_assets.resources.aws.athena import AthenaQuery, scan_of
from autocorp_assets.resources.aws.athena_values import parameter, result_table, type_name
from autocorp_assets_tests.fakes.athena import QueryFailure, athena_queries, make_workgroup
from autocorp_assets_tests.fakes.faults import EXPIRED, THROTTLED, UNAVAILABLE
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

LAKE = f"s3://{LAKE_BUCKET}/lake"


@pytest.fixture
def query(aws: FakeAws) -> AthenaQuery:
    make_workgroup()
    athena_queries.lake = LAKE
    rows = {
        "sku": [f"P{number:04d}" for number in range(2500)],
        "name": [None if number else 'Müller\'s, "A"' for number in range(2500)],
        "inventory_date": [date(2024, 1, 31)] * 2500,
        "price": pa.array([Decimal("1.50")] * 2500, pa.decimal128(10, 2)),
    }
    write_deltalake(f"{LAKE}/{TABLES['auto_parts'].lake_path}", pa.table(rows))
    aws.faults.requests.clear()
    return AthenaQuery(workgroup="autocorp", poll_seconds=0.001)


def test_values_have_the_types_that_the_lake_gives_them(query: AthenaQuery):
    found = query.run("SELECT name, inventory_date, price, 1 AS one, true AS yes FROM auto_parts ORDER BY sku LIMIT 2")

    assert found.columns == ("name", "inventory_date", "price", "one", "yes")
    assert found.types == ("varchar", "date", "decimal(10,2)", "integer", "boolean")
    assert list(found.rows()) == [
        ('Müller\'s, "A"', date(2024, 1, 31), Decimal("1.50"), 1, True),
        (None, date(2024, 1, 31), Decimal("1.50"), 1, True),
    ]


def test_all_pages_come_in_few_requests(query: AthenaQuery, aws: FakeAws):
    found = query.run("SELECT sku FROM auto_parts ORDER BY sku")

    assert [sku for (sku,) in found.rows()] == [f"P{number:04d}" for number in range(2500)]
    assert aws.faults.requests["athena:GetQueryResults"] == 3
    assert aws.faults.requests["athena:StartQueryExecution"] == 1


def test_what_was_read_has_a_price(query: AthenaQuery):
    scan = query.run("SELECT sku FROM auto_parts LIMIT 1").scan

    assert scan is not None
    assert scan.bytes > 0
    assert scan.dollars == pytest.approx(10e6 / 1e12 * 5)
    assert scan_of(2 * 10**12).dollars == pytest.approx(10)
    assert scan_of(0).dollars == 0


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "true"),
        (-7, "-7"),
        (1.5, "DOUBLE '1.5'"),
        (float("inf"), "DOUBLE 'Infinity'"),
        (Decimal("1E+2"), "DECIMAL '100'"),
        ("O'Hara?", "'O''Hara?'"),
        (date(2024, 1, 31), "DATE '2024-01-31'"),
        (datetime(2024, 1, 31, 10), "TIMESTAMP '2024-01-31 10:00:00.000000'"),
        (datetime(2024, 1, 31, 10, tzinfo=UTC), "TIMESTAMP '2024-01-31 10:00:00.000000'"),
        (b"\x01\xff", "X'01ff'"),
    ],
)
def test_a_parameter_is_a_literal_of_sql(value: object, literal: str):
    assert parameter(value) == literal


@pytest.mark.parametrize("value", ["x" * 1023, object(), ["a"]])
def test_what_cannot_be_a_parameter_is_refused(value: object):
    with pytest.raises(QueryError, match="parameter"):
        parameter(value)


def test_parameters_are_values_and_never_sql(query: AthenaQuery):
    sql = "SELECT count(*) FROM auto_parts WHERE name = ? AND price <= ? AND inventory_date >= ?"
    values = ['Müller\'s, "A"', Decimal("1.50"), date(2024, 1, 1)]

    assert list(query.run(sql, parameters=values).rows()) == [(1,)]
    assert list(query.run(sql, parameters=["' OR 1=1 --", *values[1:]]).rows()) == [(0,)]


@pytest.mark.parametrize("sql", ["DROP TABLE auto_parts", "SELECT 1; SELECT 2", "UNLOAD (SELECT 1) TO 's3://x/'", ""])
def test_what_does_not_only_read_is_never_sent(query: AthenaQuery, aws: FakeAws, sql: str):
    with pytest.raises(QueryError):
        query.run(sql)
    assert not aws.faults.requests


def test_what_only_athena_can_is_sent_as_it_is_written(query: AthenaQuery):
    sql = "SELECT geometry_union(ARRAY[]) /* as it is */ FROM auto_parts ; "
    with pytest.raises(QueryError):
        query.run(sql)

    (sent,) = athena_queries.executions.values()
    assert sent.query.startswith("SELECT geometry_union(ARRAY[]) /* as it is */ FROM auto_parts")
    assert ";" not in sent.query


def test_listings_have_no_header_and_describe_has_tabs(query: AthenaQuery):
    assert ("auto_parts",) in list(query.run("SHOW TABLES").rows())
    athena_queries.on_ddl.append(lambda sql: [["sku     \tvarchar(50) \tStock keeping unit."]])

    assert list(query.run("DESCRIBE auto_parts").rows()) == [("sku", "varchar(50)", "Stock keeping unit.")]


def test_a_wrong_name_is_told_in_the_engines_words(query: AthenaQuery):
    with pytest.raises(QueryError, match="skuu"):
        query.run("SELECT skuu FROM auto_parts")


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (QueryFailure(reason="GENERIC_INTERNAL_ERROR", is_retryable=True), "Run it again"),
        (QueryFailure(reason="COLUMN_NOT_FOUND: line 1:8", category=2), "^COLUMN_NOT_FOUND: line 1:8$"),
        (QueryFailure(reason="Bytes scanned limit was exceeded", category=2, state="CANCELLED"), "fewer columns"),
        (QueryFailure(reason="by an administrator", state="CANCELLED"), "was cancelled: by an administrator"),
    ],
)
def test_a_failure_says_what_to_do(query: AthenaQuery, failure: QueryFailure, told: str):
    athena_queries.failures.append(failure)

    with pytest.raises(QueryError, match=told):
        query.run("SELECT 1")


def test_a_query_that_takes_too_long_is_stopped(query: AthenaQuery):
    athena_queries.holds = True
    hurried = AthenaQuery(workgroup="autocorp", poll_seconds=0.001, deadline_seconds=0.1)

    with pytest.raises(QueryError, match="was stopped"):
        hurried.run("SELECT 1")
    assert [one.state for one in athena_queries.executions.values()] == ["CANCELLED"]


def test_an_interrupt_stops_the_query_in_athena(query: AthenaQuery):
    athena_queries.holds = True

    with patch("tenacity.nap.time.sleep", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        query.run("SELECT 1")
    assert [one.state for one in athena_queries.executions.values()] == ["CANCELLED"]


def test_throttling_and_an_unavailable_service_pass_unnoticed(query: AthenaQuery, aws: FakeAws):
    aws.faults.add("athena", THROTTLED, UNAVAILABLE)

    assert list(query.run("SELECT 1").rows()) == [(1,)]


def test_expired_credentials_and_an_unknown_workgroup_have_a_remedy(query: AthenaQuery, aws: FakeAws):
    aws.faults.add("athena", EXPIRED)
    with pytest.raises(QueryError, match="renew them"):
        query.run("SELECT 1")
    with pytest.raises(QueryError, match="AUTOCORP_AWS_WORKGROUP"):
        AthenaQuery(workgroup="nobodys").run("SELECT 1")


def test_texts_of_every_type_become_values():
    cells: Iterator[tuple[str, str, object]] = iter(
        [
            ("timestamp", "2024-01-31 10:00:00.123", datetime(2024, 1, 31, 10, 0, 0, 123000)),
            ("timestamp with time zone", "2024-01-31 10:00:00.000 America/Chicago", datetime(2024, 1, 31, 16)),
            ("timestamp with time zone", "2024-01-31 10:00:00.000 +01:00", datetime(2024, 1, 31, 9)),
            ("double", "1.5E10", 1.5e10),
            ("bigint", "9007199254740993", 9007199254740993),
            ("varbinary", "01 ff", b"\x01\xff"),
            ("array", "[1, 2]", "[1, 2]"),
            ("row", "{a=1}", "{a=1}"),
        ]
    )
    for kind, text, value in cells:
        column = {"Name": "x", "Type": kind, "Precision": 0, "Scale": 0}
        table = result_table([column, column], [[text, None]])
        assert [table.column(0)[0].as_py(), table.column(1)[0].as_py()] == [value, None]
        assert type_name(column) == kind
    assert result_table([{"Name": "x", "Type": "bigint"}], []).num_rows == 0
