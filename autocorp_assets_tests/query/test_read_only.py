"""Analysts' SQL can change nothing and reach nothing but the lake's tables: at the statement, and again in DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from autocorp_assets.contracts import TABLES
from autocorp_assets.query.dialect import guard
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.views import lake_catalog


@pytest.fixture(scope="module")
def secret(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    file.write_text("password\nhunter2\n")
    return file


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> LakeQuery:
    root = tmp_path_factory.mktemp("lake")
    write_deltalake(root / TABLES["auto_parts"].lake_path, pa.table({"sku": ["A"], "price": ["1.00"]}))
    return LakeQuery(root)


def sent_to_athena(sql: str) -> str:
    return guard(sql, catalog=lake_catalog())


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("  SELECT only_athena_knows(sku) /* so */ FROM auto_parts ; ; ", "SELECT only_athena_knows(sku) /* so */"),
        ("EXPLAIN ANALYZE SELECT only_athena_knows(sku) FROM auto_parts", "EXPLAIN ANALYZE SELECT only_athena_knows"),
        ("show tables in autocorp_lake", "show tables in autocorp_lake"),
        ("DESCRIBE autocorp.customer", "DESCRIBE autocorp.customer"),
        ("-- one; two\nVALUES 1", "-- one; two\nVALUES 1"),
    ],
)
def test_what_only_reads_goes_to_athena_as_it_is(sql: str, sent: str):
    found = sent_to_athena(sql)

    assert found.strip().startswith(sent)
    assert sql.startswith(found)
    assert not found.endswith(";")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO customers VALUES (1)",
        "UPDATE customers SET email = NULL",
        "DELETE FROM customers",
        "MERGE INTO customers USING service ON true WHEN MATCHED THEN DELETE",
        "CREATE TABLE x AS SELECT 1",
        "CREATE OR REPLACE VIEW customer AS SELECT 1",
        "DROP VIEW customer",
        "ALTER TABLE customers ADD COLUMN x int",
        "SELECT 1 INTO x",
        "WITH gone AS (DELETE FROM customers RETURNING *) SELECT * FROM gone",
        "EXPLAIN ANALYZE DELETE FROM customers",
        "UNLOAD (SELECT 1) TO 's3://elsewhere/'",
        "COPY customers TO 'out.csv'",
        "EXPORT DATABASE 'out'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "USE autocorp_lake",
        "PREPARE p FROM SELECT 1",
        "SELECT 1; DROP VIEW customer",
        "SELECT 1; SELECT 2",
    ],
)
def test_what_is_not_one_query_is_refused(lake: LakeQuery, sql: str):
    for check in (lake.run, sent_to_athena):
        with pytest.raises(QueryError, match=r"read only here|only one statement"):
            check(sql)


@pytest.mark.parametrize(
    "source",
    [
        "'{file}'",
        '"{file}"',
        "read_csv('{file}')",
        "read_csv_auto('{file}')",
        "read_text('{file}')",
        "read_blob('{file}')",
        "read_json('{file}')",
        "read_parquet('{file}')",
        "parquet_scan('{file}')",
        "parquet_metadata('{file}')",
        "sniff_csv('{file}')",
        "TABLE(read_text('{file}'))",
        "LATERAL read_text('{file}')",
        "(SELECT * FROM read_text('{file}'))",
        "query('SELECT * FROM read_text(''{file}'')')",
        "query_table(['{file}'])",
        "json_execute_serialized_sql('{{}}')",
        "duckdb_secrets()",
        "duckdb_views",
        "pg_catalog.pg_views",
        "sqlite_master",
        "lake",
        "secret",
    ],
)
def test_nothing_but_tables_and_views_can_be_read_from(lake: LakeQuery, secret: Path, source: str):
    with pytest.raises(QueryError):
        lake.run(f"SELECT * FROM {source.format(file=secret)}")  # noqa: S608


@pytest.mark.parametrize(
    "source",
    [
        "payroll.salaries",
        "awsdatacatalog.payroll.salaries",
        "other_catalog.payroll.salaries",
        "salaries",
        "TABLE(system.query(query => 'SELECT 1'))",
        '"autocorp_lake"."raw_secret"',
        "(SELECT * FROM payroll.salaries)",
    ],
)
def test_athena_is_asked_for_nothing_but_the_lakes_tables(source: str):
    with pytest.raises(QueryError):
        sent_to_athena(f"SELECT * FROM {source}")  # noqa: S608


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT (SELECT content FROM read_text('{file}'))",
        "SELECT sku FROM auto_parts WHERE sku IN (SELECT content FROM read_text('{file}'))",
        "SELECT * FROM auto_parts CROSS JOIN LATERAL (SELECT * FROM read_text('{file}')) AS t",
        "WITH t AS (SELECT * FROM glob('{file}')) SELECT * FROM t",
        "SELECT read_text('{file}')",
        "SELECT 1 UNION ALL SELECT size FROM read_blob('{file}')",
    ],
)
def test_neither_does_a_subquery_reach_a_file(lake: LakeQuery, secret: Path, sql: str):
    with pytest.raises(QueryError):
        lake.run(sql.format(file=secret))


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_text('{file}')",
        "FROM '{file}'",
        "FROM glob('{folder}/*')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/other.db'",
        "EXPORT DATABASE '{folder}/out'",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET lock_configuration = false",
        "FROM secret",
    ],
)
def test_duckdb_itself_is_closed_behind_that(lake: LakeQuery, secret: Path, sql: str):
    with lake.connect() as connection, pytest.raises(duckdb.Error):
        connection.execute(sql.format(file=secret, folder=secret.parent))


def test_the_lakes_own_files_are_open(lake: LakeQuery):
    with lake.connect() as connection:
        assert connection.execute("SELECT sku FROM auto_parts").fetchall() == [("A",)]
    assert list(Path(lake.root).rglob("*.tmp")) == []


def test_a_query_that_needs_too_much_memory_fails_and_spills_nothing(lake: LakeQuery, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = LakeQuery(lake.root, memory_limit="20MB")
    with pytest.raises(QueryError, match=r"(?i)memory"):
        small.run("SELECT x, y FROM UNNEST(sequence(1, 3000)) AS a(x), UNNEST(sequence(1, 3000)) AS b(y) ORDER BY y, x")
    assert list(tmp_path.iterdir()) == []
