"""The embedded PostgreSQL: made once, started, stopped, and back after every kind of death."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from autocorp_assets.local.source.postgres import EmbeddedPostgres


def test_the_connection_string_works_and_holds_no_password(postgres: EmbeddedPostgres) -> None:
    password = postgres.cluster.passfile.read_text().strip().rpartition(":")[2]

    assert password not in postgres.dsn
    with psycopg.connect(postgres.dsn) as connection:
        row = connection.execute("SELECT current_user, current_database(), current_setting('wal_level')").fetchone()
    assert row == ("autocorp", "autocorp", "logical")


def test_nobody_gets_in_without_the_password(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    other = tmp_path / "pgpass"
    other.write_text("127.0.0.1:*:*:autocorp:wrong\n")
    other.chmod(0o600)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(conninfo.make_conninfo(postgres.dsn, passfile=str(other)))


def test_each_database_fixture_is_empty(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id INT PRIMARY KEY)")
        connection.execute("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')")
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (1,)
