"""Opening the source that the settings mean."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo
from pydantic import SecretStr

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.source.connection import embedded, ensure_seeded, open_source, without_password
from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.settings import Settings


def customers(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM customers").fetchone()
    assert row is not None
    return row[0]


def test_the_embedded_source_is_seeded_once_and_runs_only_while_it_is_open(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, source_dsn=None)
    server = embedded(settings)

    with open_source(settings) as source:
        assert source.is_embedded
        assert server.is_running()
        seeded = customers(source.dsn)
        assert seeded > 0
        with psycopg.connect(source.dsn) as connection:
            connection.execute("INSERT INTO customers (first_name, last_name, email) VALUES ('A', 'B', 'a@b.cd')")
    assert not server.is_running()

    with open_source(settings) as first:
        with open_source(settings) as second:
            assert first.dsn == second.dsn
        assert customers(first.dsn) == seeded + 1, "who found it running leaves it running"
    assert not server.is_running()


def test_seeding_leaves_a_database_that_has_the_tables_alone(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY)".encode())

    assert not ensure_seeded(database)


def test_a_database_of_the_operators_own_is_taken_as_it_is(database: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", source_dsn=SecretStr(f"{database} password=geheim"))

    with open_source(settings) as source:
        assert not source.is_embedded
        assert "geheim" not in repr(source)
        assert "geheim" not in source.dsn_without_password
        with psycopg.connect(source.dsn_without_password) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    assert not settings.home_folder.exists()


def test_a_connection_string_may_be_shown_without_its_password() -> None:
    shown, password = without_password("postgresql://reader:ge%40heim@localhost:5433/autocorp?sslpassword=key")

    assert password == "ge@heim"
    assert conninfo.conninfo_to_dict(shown) == {
        "user": "reader",
        "host": "localhost",
        "port": "5433",
        "dbname": "autocorp",
    }
    with pytest.raises(SourceError, match="cannot be read"):
        without_password("geheim")
