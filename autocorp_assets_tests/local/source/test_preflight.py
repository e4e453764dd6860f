"""Preflight: every reason why a source cannot be replicated, each with what the operator has to run."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.source.errors import Problem, SourceError
from autocorp_assets.local.source.postgres import EmbeddedPostgres
from autocorp_assets.local.source.preflight import Target, preflight, require_ready

PASSWORD = "geh@im/3"
EXPECTED = tuple(TABLES.values())


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture
def source(database: str) -> str:
    """The operational database without rows, as its owner sees it."""
    execute(database, (resources.files("autocorp_assets.local.source") / "schema.sql").read_text("utf-8"))
    return database


@pytest.fixture
def visitor(source: str) -> Iterator[str]:
    """The same as seen by a role that was granted nothing yet; its name is `visitor_…`."""
    name = f"visitor_{secrets.token_hex(6)}"
    role = sql.Identifier(name)
    with psycopg.connect(source, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD)))
        yield conninfo.make_conninfo(source, user=name, password=PASSWORD)
        admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_the_embedded_source_is_ready(source: str) -> None:
    assert preflight(source, EXPECTED, slot="autocorp", publication="autocorp_lake") == []
    require_ready(source, EXPECTED)


def test_everything_that_is_missing_is_said_at_once_and_its_remedies_suffice(source: str, visitor: str) -> None:
    with pytest.raises(SourceError) as raised:
        require_ready(visitor, EXPECTED, publication="autocorp_lake")

    problems = raised.value.problems
    assert len(problems) == 1 + len(EXPECTED) + 1
    assert "may not replicate" in str(raised.value)
    assert PASSWORD not in str(raised.value)
    for problem in problems:
        execute(source, problem.remedy.partition(" (")[0].removeprefix("As the owner of the tables: "))
    assert preflight(visitor, EXPECTED, publication="autocorp_lake") == []


def test_a_missing_table_is_named_with_its_database(source: str) -> None:
    execute(source, "DROP TABLE service_parts CASCADE")

    problem = only(preflight(source, EXPECTED))
    assert 'no table "public"."service_parts"' in problem.what
    assert str(conninfo.conninfo_to_dict(source)["dbname"]) in problem.what


def test_a_table_without_primary_key_gets_one_by_the_remedy(source: str) -> None:
    execute(source, "ALTER TABLE sales_order_parts DROP CONSTRAINT sales_order_parts_pkey")

    problem = only(preflight(source, EXPECTED))
    assert "no primary key" in problem.what
    execute(source, problem.remedy)
    assert preflight(source, EXPECTED) == []


def test_a_key_other_than_the_contracts_is_put_right_by_the_remedy(source: str) -> None:
    execute(
        source,
        "ALTER TABLE service_parts DROP CONSTRAINT service_parts_pkey, "
        "ADD CONSTRAINT odd PRIMARY KEY (sku, service_part_id)",
    )

    problem = only(preflight(source, EXPECTED))
    assert "(sku, service_part_id)" in problem.what
    execute(source, problem.remedy)
    assert preflight(source, EXPECTED) == []


def test_only_the_tables_asked_for_count(source: str) -> None:
    imagined = replace(TABLES["service"], name="Warehouse; DROP TABLE service")

    problem = only(preflight(source, [TABLES["auto_parts"], imagined]))
    assert '"Warehouse; DROP TABLE service"' in problem.what
    assert preflight(source, EXPECTED) == []


def test_a_server_that_is_not_set_up_for_it(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, settings={"wal_level": "replica", "max_replication_slots": "1"})
    server.start(guarded=True)
    try:
        execute(server.dsn, "SELECT pg_create_physical_replication_slot('standby')")
        level, slots = preflight(server.dsn, [])
        with_own_slot = preflight(server.dsn, [], slot="standby")
    finally:
        server.stop()

    assert "wal_level is replica" in level.what
    assert "ALTER SYSTEM SET wal_level = 'logical'" in level.remedy
    assert "All 1 replication slots are taken" in slots.what
    assert with_own_slot == [level]


def test_a_wrong_password_is_told_apart_from_a_server_that_is_away(visitor: str) -> None:
    problem = only(preflight(conninfo.make_conninfo(visitor, password="wr0ng"), EXPECTED))

    assert "does not let visitor_" in problem.what
    assert "CREATE ROLE" in problem.remedy
    assert "wr0ng" not in str(problem)


def test_nobody_listening_names_host_and_port_but_no_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    problem = only(preflight(f"postgresql://reader:geheim@127.0.0.1:{port}/autocorp", EXPECTED))

    assert f"127.0.0.1, port {port}" in problem.what
    assert problem.remedy.endswith(f"pg_isready -h 127.0.0.1 -p {port}")
    assert "geheim" not in str(problem)


def test_a_database_that_does_not_exist(postgres: EmbeddedPostgres) -> None:
    problem = only(preflight(conninfo.make_conninfo(postgres.dsn, dbname="nowhere"), EXPECTED))

    assert "no database nowhere" in problem.what
    assert problem.remedy.endswith('CREATE DATABASE "nowhere";')


def test_off_loopback_nothing_is_said_in_the_clear(source: str) -> None:
    # Leads to loopback, but neither libpq's string nor we can know that.
    unencrypted, no_tls = preflight(conninfo.make_conninfo(source, host="127.1"), EXPECTED)

    assert "sslmode=prefer" in unencrypted.what
    assert "sslmode=verify-full" in unencrypted.remedy
    assert "does not offer TLS" in no_tls.what


@pytest.mark.parametrize(
    ("dsn", "is_safe"),
    [
        ("host=db.example.com", False),
        ("host=db.example.com sslmode=disable", False),
        ("host=db.example.com sslmode=allow", False),
        ("host=db.example.com sslmode=require", True),
        ("postgresql://db.example.com/autocorp?sslmode=verify-full", True),
        ("host=10.0.0.7", False),
        ("host=127.0.0.1", True),
        ("host=::1", True),
        ("host=localhost", True),
        ("host=/var/run/postgresql", True),
        ("dbname=autocorp", True),
        ("host=localhost hostaddr=10.0.0.7", False),
        ("host=localhost,db.example.com", False),
    ],
)
def test_which_connections_need_tls(dsn: str, is_safe: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert (Target.parse(dsn).transport_problems() == []) == is_safe


def test_libpqs_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert Target.parse("dbname=autocorp").transport_problems()
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert not Target.parse("dbname=autocorp").transport_problems()


@pytest.mark.parametrize(
    "dsn",
    [
        "geheim",
        "postgresql://u:ge@heim@localhost/autocorp",
        "host='geheim",
        "postgresql://u:p/geheim@localhost/x",
        "postgresql://u:1/geheim@localhost/x",
    ],
)
def test_a_malformed_string_is_not_repeated_since_its_password_may_be_anywhere(dsn: str) -> None:
    problem = only(preflight(dsn, EXPECTED))

    assert "heim" not in str(problem)
    assert "percent-encoded" in problem.remedy
