"""A database with the seed's rows, shared by the tests that only read it."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest
from psycopg import conninfo, sql

from autocorp_assets.local.generator.seed import seed_database
from autocorp_assets.local.source.postgres import EmbeddedPostgres


@pytest.fixture(scope="module")
def seeded(postgres: EmbeddedPostgres):
    """Connection to a freshly seeded database; what a test changes is rolled back."""
    with psycopg.connect(postgres.dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE seeded")
        dsn = conninfo.make_conninfo(postgres.dsn, dbname="seeded")
        seed_database(dsn)
        with psycopg.connect(dsn) as connection:
            yield connection
        admin.execute("DROP DATABASE seeded WITH (FORCE)")


@pytest.fixture
def seed_rows_of(seeded: psycopg.Connection):
    """Runs a query on the seeded database and gives its rows."""

    def run(query: LiteralString | sql.Composed, parameters: list | None = None) -> list[tuple]:
        rows = seeded.execute(query, parameters).fetchall()
        seeded.rollback()
        return rows

    return run
