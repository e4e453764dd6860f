"""The source's DDL is what the contracts say it is."""

from __future__ import annotations

import re

import pytest

from autocorp_assets.contracts import TABLES, TableContract
from autocorp_assets.contracts.model import Column, References, Unique

INFORMATION_SCHEMA_TYPES = {
    "SERIAL": "integer",
    "INT": "integer",
    "TEXT": "text",
    "DATE": "date",
    "TIMESTAMP": "timestamp without time zone",
    "MONEY": "money",
}
NOT_ENFORCED = {("service_parts", "sku")}
"""References that the database leaves to the checks."""


@pytest.fixture(params=TABLES.values(), ids=list(TABLES))
def contract(request: pytest.FixtureRequest) -> TableContract:
    return request.param


def expected_type(column: Column) -> str:
    if sized := re.fullmatch(r"VARCHAR\((\d+)\)", column.source_type):
        return f"character varying({sized[1]})"
    if scaled := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", column.source_type):
        return f"numeric({scaled[1]},{scaled[2]})"
    return INFORMATION_SCHEMA_TYPES[column.source_type]


def expected_default(table: str, column: Column) -> str | None:
    if column.source_type == "SERIAL":
        return f"nextval('{table}_{column.name}_seq'::regclass)"
    return column.default


def test_columns_have_the_contracts_order_types_nullability_and_defaults(contract, seed_rows_of):
    found = seed_rows_of(
        """
        SELECT column_name,
               data_type || coalesce('(' || character_maximum_length || ')',
                   CASE data_type WHEN 'numeric' THEN '(' || numeric_precision || ',' || numeric_scale || ')' END, ''),
               is_nullable = 'NO',
               regexp_replace(column_default, '^(''.*'')::character varying$', '\\1')
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = %s
        ORDER BY ordinal_position
        """,
        [contract.name],
    )
    assert found == [
        (column.name, expected_type(column), column.required, expected_default(contract.name, column))
        for column in contract.columns
    ]


def test_primary_key_and_unique_rules_are_constraints(contract, seed_rows_of):
    found = seed_rows_of(
        """
        SELECT constraint_type, array_agg(column_name::text ORDER BY ordinal_position)
        FROM information_schema.table_constraints
        JOIN information_schema.key_column_usage USING (constraint_schema, constraint_name, table_name)
        WHERE table_name = %s AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')
        GROUP BY constraint_name, constraint_type
        """,
        [contract.name],
    )
    unique = [("UNIQUE", list(rule.columns)) for rule in contract.rules if isinstance(rule, Unique)]
    assert sorted(found) == sorted([("PRIMARY KEY", [contract.primary_key]), *unique])


def test_references_are_foreign_keys_but_those_to_parts(contract, seed_rows_of):
    found = seed_rows_of(
        """
        SELECT k.column_name, c.table_name, c.column_name, r.delete_rule
        FROM information_schema.referential_constraints r
        JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
        JOIN information_schema.constraint_column_usage c USING (constraint_schema, constraint_name)
        WHERE k.table_name = %s
        """,
        [contract.name],
    )
    references = [rule for rule in contract.rules if isinstance(rule, References)]
    assert sorted(found) == sorted(
        (rule.column, rule.to_table, rule.to_column, "CASCADE" if rule.to_table == "sales_order" else "NO ACTION")
        for rule in references
        if (contract.name, rule.column) not in NOT_ENFORCED
    )


@pytest.mark.parametrize(
    ("table", "column"),
    [("sales_order", "order_type"), ("sales_order_parts", "quantity"), ("sales_order_services", "quantity")],
)
def test_check_constraints(table, column, seed_rows_of):
    assert seed_rows_of(
        "SELECT count(*) FROM information_schema.constraint_column_usage"
        " JOIN information_schema.check_constraints USING (constraint_schema, constraint_name)"
        " WHERE table_name = %s AND column_name = %s",
        [table, column],
    ) == [(1,)]


def test_order_summary_counts_lines_of_both_kinds_without_multiplying_them(seed_rows_of):
    assert seed_rows_of("SELECT count(*), sum(part_lines), sum(service_lines) FROM v_sales_order_summary") == [
        (1000, 2135, 644)
    ]


def test_service_view_has_a_row_for_each_part_needed(seed_rows_of):
    assert seed_rows_of("SELECT count(*), count(DISTINCT serviceid), count(part_name) FROM v_service_with_parts") == [
        (1074, 110, 1074)
    ]
