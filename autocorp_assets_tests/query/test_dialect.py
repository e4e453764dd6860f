"""Athena's SQL gives Athena's values: functions and syntax that analysts use, run on an empty lake."""

# ruff: noqa: S608 (the statements are the tests' own)
from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.query.errors import QueryError

TS = "timestamp '2024-03-10 23:30:00'"
ORDERS = """(VALUES
    (1, 'Parts', decimal '12.50', timestamp '2024-03-10 23:30:00'),
    (2, 'Service', decimal '7.25', timestamp '2024-03-11 08:00:00'),
    (3, 'Parts', decimal '1.25', timestamp '2024-03-12 08:00:00')) AS o(id, kind, amount, at)"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> LakeQuery:
    return LakeQuery(tmp_path_factory.mktemp("lake"))


def value(lake: LakeQuery, expression: str) -> Any:
    ((found,),) = lake.run(f"SELECT {expression}").rows()
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"date_trunc('month', {TS})", datetime(2024, 3, 1)),
        ("date_trunc('month', date '2024-03-10')", date(2024, 3, 1)),
        ("date_add('day', -7, current_date) < current_date", True),
        ("date_add('day', 1, date '2024-01-31')", date(2024, 2, 1)),
        ("date_add('hour', 5, timestamp '2024-01-31 20:00:00')", datetime(2024, 2, 1, 1)),
        ("date '2024-01-31' + INTERVAL '1' MONTH", date(2024, 2, 29)),
        ("timestamp '2024-01-31 10:00:00' - INTERVAL '2' HOUR", datetime(2024, 1, 31, 8)),
        # Whole units, not boundaries crossed.
        ("date_diff('day', timestamp '2024-01-01 23:00:00', timestamp '2024-01-02 01:00:00')", 0),
        ("date_diff('day', date '2024-01-01', date '2024-03-01')", 60),
        ("date_diff('month', timestamp '2024-01-15 00:00:00', timestamp '2024-03-14 00:00:00')", 1),
        (f"format_datetime({TS}, 'yyyy-MM-dd''T''HH:mm')", "2024-03-10T23:30"),
        (f"format_datetime({TS}, 'EEE d MMM yyyy, h:mm a')", "Sun 10 Mar 2024, 11:30 PM"),
        (f"date_format({TS}, '%Y-%m-%d %H:%i:%s')", "2024-03-10 23:30:00"),
        ("date_parse('2024-01-02 03:04:05', '%Y-%m-%d %H:%i:%s')", datetime(2024, 1, 2, 3, 4, 5)),
        ("parse_datetime('2024-01-02', 'yyyy-MM-dd')", datetime(2024, 1, 2)),
        ("from_iso8601_timestamp('2024-01-02T03:04:05+01:00')", datetime(2024, 1, 2, 2, 4, 5, tzinfo=UTC)),
        ("from_iso8601_date('2024-01-02')", date(2024, 1, 2)),
        (f"to_iso8601({TS})", "2024-03-10T23:30:00.000"),
        ("to_iso8601(date '2024-01-02')", "2024-01-02"),
        ("to_unixtime(from_unixtime(86400))", 86400.0),
        # A time without zone is UTC: the wall clock of New York is earlier, not later.
        (f"{TS} AT TIME ZONE 'America/New_York'", datetime(2024, 3, 10, 19, 30)),
        (f"{TS} AT TIME ZONE 'Asia/Tokyo' AT TIME ZONE 'America/New_York'", datetime(2024, 3, 10, 19, 30)),
        (f"date({TS} AT TIME ZONE 'Asia/Tokyo')", date(2024, 3, 11)),
        (f"day_of_week({TS})", 7),
        (f"extract(DOW FROM {TS})", 7),
        (f"extract(YEAR FROM {TS})", 2024),
        (f"last_day_of_month({TS})", date(2024, 3, 31)),
        ("timestamp '2024-01-01 00:00:00.123'", datetime(2024, 1, 1, 0, 0, 0, 123000)),
        ("try_cast('x' AS integer)", None),
        ("try_cast('2024-13-01' AS date)", None),
        ("try(1 / 0)", None),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / 2e0", 3.5),
        ("100.0 * 1 / 8", 12.5),
        ("cast(2.5 AS integer)", 3),
        ("round(2.567, 1)", Decimal("2.6")),
        ("greatest(1, NULL)", None),
        ("concat('a', NULL)", None),
        ("split_part('a-b-c', '-', 2)", "b"),
        ("cardinality(split('a,b', ','))", 2),
        ("element_at(ARRAY[1, 2, 3], -1)", 3),
        ("element_at(ARRAY[1], 5)", None),
        ("element_at(MAP(ARRAY['a'], ARRAY[1]), 'b')", None),
        ("ARRAY[1, 2, 3][1]", 1),
        ("slice(ARRAY[1, 2, 3, 4], 2, 2)", [2, 3]),
        ("any_match(ARRAY[1, 2], x -> x > 1)", True),
        ("all_match(ARRAY[1, 2], x -> x > 1)", False),
        ("reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s)", 6),
        ("arrays_overlap(ARRAY[1], ARRAY[1, 2])", True),
        ("array_join(array_sort(ARRAY['b', 'a']), '+')", "a+b"),
        ("sequence(date '2024-02-28', date '2024-03-01')", [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]),
        ("regexp_like('abc', 'b.')", True),
        ("regexp_extract('id=42', '=(\\d+)', 1)", "42"),
        ("regexp_replace('a-b', '(\\w)-(\\w)', '$2-$1')", "b-a"),
        ("format('%s-%05d', 'a', 7)", "a-00007"),
        ("json_extract_scalar('{\"a\": {\"b\": 5}}', '$.a.b')", "5"),
        ("cast(json_extract('{\"a\": \"x\"}', '$.a') AS varchar)", "x"),
        ("if(1 > 2, 'yes', 'no')", "no"),
        ("strpos('hello', 'l')", 3),
        ("width_bucket(5, 0, 10, 5)", 3),
        ("sum(x) FROM UNNEST(ARRAY[1, 2]) AS t(x)", 3),
    ],
)
def test_an_expression_has_athenas_value(lake: LakeQuery, expression: str, expected: object):
    assert value(lake, expression) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"SELECT kind, sum(amount) FROM {ORDERS} GROUP BY GROUPING SETS ((kind), ()) ORDER BY kind", 3),
        (f"SELECT kind, id, grouping(kind, id) FROM {ORDERS} GROUP BY ROLLUP (kind, id)", 6),
        (f"SELECT id FROM {ORDERS} ORDER BY id OFFSET 1 FETCH FIRST 1 ROWS ONLY", 1),
        (f"SELECT id FROM {ORDERS} ORDER BY id LIMIT 2", 2),
        (f"SELECT id, n FROM {ORDERS} CROSS JOIN UNNEST(ARRAY['x', 'y']) WITH ORDINALITY AS t(x, n)", 6),
        (f"SELECT approx_distinct(kind), approx_distinct(kind, 0.05), count_if(amount > 5) FROM {ORDERS}", 1),
        (
            f"SELECT max_by(kind, amount), arbitrary(id), approx_percentile(amount, 0.5), map_agg(id, 1) FROM {ORDERS}",
            1,
        ),
        (f"SELECT listagg(kind, ', ') WITHIN GROUP (ORDER BY id) FROM {ORDERS}", 1),
        (f"SELECT count(*) FILTER (WHERE amount > 5), array_agg(kind ORDER BY id DESC) FROM {ORDERS}", 1),
        ("WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 4) SELECT n FROM t", 4),
        ("SELECT day FROM UNNEST(sequence(date '2024-01-01', date '2024-01-05', INTERVAL '2' DAY)) AS t(day)", 3),
        ("(SELECT 1) UNION ALL (SELECT 2)", 2),
        ("VALUES 1, 2", 2),
        ("SELECT * FROM sales_order WHERE order_date >= current_date - INTERVAL '30' DAY", 0),
        ('SELECT "email" AS "E-mail" FROM "autocorp"."customers"', 0),
        ('SELECT * FROM "AwsDataCatalog"."autocorp_lake"."customers"', 0),
        ("EXPLAIN SELECT * FROM customer", 1),
        ("explain analyze select 1", 1),
        ("SHOW DATABASES", 2),
        ("SELECT 1 -- done;\n;", 1),
    ],
)
def test_a_statement_gives_athenas_number_of_rows(lake: LakeQuery, sql: str, expected: int):
    assert len(list(lake.run(sql).rows())) == expected


def test_windows_run(lake: LakeQuery):
    sql = f"""
        SELECT id, row_number() OVER (PARTITION BY kind ORDER BY at DESC), lag(amount) OVER (ORDER BY id),
            sum(amount) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        FROM {ORDERS} ORDER BY id"""
    assert [tuple(map(str, row)) for row in lake.run(sql).rows()] == [
        ("1", "2", "None", "12.500"),
        ("2", "1", "12.500", "19.750"),
        ("3", "1", "7.250", "21.000"),
    ]


def test_a_sum_of_whole_numbers_is_a_whole_number(lake: LakeQuery):
    result = lake.run("SELECT sum(n) AS n FROM (VALUES 1, 2) AS t(n)")
    assert (result.types, list(result.rows())) == (("BIGINT",), [(3,)])


def test_columns_without_a_name_are_called_as_in_athena(lake: LakeQuery):
    assert lake.run("SELECT 1, n, n + 1, count(*) AS c FROM (VALUES 1) AS t(n) GROUP BY n").columns == (
        "_col0",
        "n",
        "_col2",
        "c",
    )
    assert lake.run("SELECT max(n) FROM (VALUES 1) AS t(n) UNION ALL SELECT 2").columns == ("_col0",)


def test_parameters_are_values(lake: LakeQuery):
    ((found,),) = lake.run("SELECT ? || '!'", parameters=["'; DROP TABLE customers"]).rows()
    assert found == "'; DROP TABLE customers!"


def test_tables_and_columns_can_be_listed(lake: LakeQuery):
    assert ("customers",) in list(lake.run("SHOW TABLES").rows())
    assert list(lake.run("SHOW TABLES IN autocorp 'v_*|service'").rows()) == [
        ("service",),
        ("v_sales_order_summary",),
        ("v_service_with_parts",),
    ]
    assert ("price", "decimal(10,2)", "List price in USD.") in list(lake.run("DESCRIBE autocorp.auto_parts").rows())
    assert [row[0] for row in lake.run("SHOW COLUMNS IN service").rows()][:2] == ["serviceid", "service"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT\n  sum(price FROM auto_parts", r"line 2: Expecting \)\n    sum\(price FROM auto_parts\n {14}\^{4}$"),
        ("SELECT 'abc", "a quote or a comment is not closed"),
        ("SELECT * FROM sale_orders", "no table 'sale_orders' in autocorp; did you mean sales_order"),
        ("SELECT * FROM sales.sales_order", "no database 'sales'; there are autocorp, autocorp_lake"),
        ("SELECT emial FROM customers", 'column "emial" not found(.|\n)*"email"'),
        ("SELECT date_truncate('day', created_at) FROM customers", "date_truncate does not exist(.|\n)*date_trunc"),
        ("SELECT 1 / 0", "Division by zero"),
        ("SELECT cast('x' AS integer)", "Could not convert string 'x'"),
        ("SELECT format_datetime(current_timestamp, 'GG')", "'GG' in the format 'GG' is not available here"),
        ("SELECT random(1, 5)", "not available here, though Athena may know it"),
        ("SELECT * FROM auto_parts FOR TIMESTAMP AS OF current_timestamp", "give the time as --as-of"),
        ("SHOW PARTITIONS customers", "There are SHOW TABLES"),
        ("DESCRIBE", "Put the name of a table after it"),
        ("SELECT ?", "Values were not provided"),
        (" ; ", "there is no query"),
    ],
)  # fmt: skip
def test_an_error_says_what_and_where(lake: LakeQuery, sql: str, message: str):
    with pytest.raises(QueryError, match=message) as raised:
        lake.run(sql)
    assert "LINE 1" not in str(raised.value)
