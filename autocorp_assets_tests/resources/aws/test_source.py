"""The source is reached with what its secret says, also after a rotation, and no error holds its password."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.source import SecretSource
from autocorp_assets.resources.ports.source import SourceUnavailable
from autocorp_assets_tests.fakes.account import source_secret
from autocorp_assets_tests.fakes.faults import EXPIRED, Fault
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws

NAME = "autocorp/source"
PASSWORD = "s3cr3t"


@pytest.fixture
def secret(aws: FakeAws, database: str) -> Iterator[dict]:
    """Of a role of its own in a real PostgreSQL."""
    role = f"reader_{secrets.token_hex(4)}"
    where = conninfo_to_dict(database)
    with psycopg.connect(database, autocommit=True) as admin:
        set_password(admin, role, PASSWORD, create=True)
        secret = source_secret(
            str(where["host"]), port=int(str(where["port"])), username=role, dbname=where["dbname"], password=PASSWORD
        )
        client("secretsmanager").create_secret(Name=NAME, SecretString=json.dumps(secret))
        yield secret
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def set_password(admin: psycopg.Connection, role: str, password: str, *, create: bool = False) -> None:
    command = "CREATE ROLE {} LOGIN PASSWORD {}" if create else "ALTER ROLE {} PASSWORD {}"
    admin.execute(sql.SQL(command).format(sql.Identifier(role), sql.Literal(password)))


def put(**content: object) -> None:
    client("secretsmanager").put_secret_value(SecretId=NAME, SecretString=json.dumps(content))


def ask(source: SecretSource, query: str = "SELECT current_user::text") -> str:
    with source.connect(statement_seconds=5) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def test_it_reads_as_the_secret_s_user_and_only_reads(secret):
    source = SecretSource(secret=NAME)

    assert ask(source) == secret["username"]
    assert ask(source, "SHOW default_transaction_read_only") == "on"
    assert ask(source, "SHOW statement_timeout") == "5s"
    assert ask(source, "SHOW application_name") == "autocorp_reconcile"


def test_the_secret_is_read_once_and_again_after_a_rotation(aws: FakeAws, secret, database):
    source = SecretSource(secret=NAME)
    ask(source)
    ask(source)
    assert aws.faults.requests["secretsmanager:GetSecretValue"] == 1

    with psycopg.connect(database, autocommit=True) as admin:
        set_password(admin, secret["username"], "rotated")
    put(**{**secret, "password": "rotated"})

    assert ask(source) == secret["username"]
    assert aws.faults.requests["secretsmanager:GetSecretValue"] == 2


def test_a_password_that_the_source_does_not_take_says_what_to_do_and_not_the_password(secret):
    put(**{**secret, "password": "wr0ng"})

    with pytest.raises(SourceUnavailable, match=r"read anew just now.*rotate-secret") as raised:
        ask(SecretSource(secret=NAME))

    assert "wr0ng" not in str(raised.value)


@pytest.mark.parametrize("certificate", [None, Path("/etc/ssl/global-bundle.pem")])
def test_off_this_machine_only_tls_will_do(secret, certificate):
    """The server of the tests offers none, and this address is not known to be this machine's."""
    put(**{**secret, "host": "0.0.0.0"})  # noqa: S104 nothing listens on it

    with pytest.raises(SourceUnavailable, match="SSL was required"):
        ask(SecretSource(secret=NAME, root_certificate=certificate))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"username": "u", "password": "s3cr3t"}', "it lacks host, port, dbname"),
        ("s3cr3t", "it lacks host, port, username, password, dbname"),
        (json.dumps(source_secret(port="s3cr3t")), "a port that is no number"),
    ],
)
def test_a_malformed_secret_says_what_it_lacks_and_nothing_of_what_it_holds(aws, content, said):
    client("secretsmanager").create_secret(Name=NAME, SecretString=content)

    with pytest.raises(SourceUnavailable, match=said) as raised:
        ask(SecretSource(secret=NAME))

    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (None, "name another in AUTOCORP_AWS_SOURCE_SECRET"),
        (Fault(status=400, code="AccessDeniedException"), "secretsmanager:GetSecretValue"),
        (EXPIRED, "renew them"),
    ],
)
def test_a_secret_that_cannot_be_read_says_what_to_do(aws: FakeAws, fault, remedy):
    if fault:
        aws.faults.add("secretsmanager", fault)

    with pytest.raises(SourceUnavailable, match=remedy):
        ask(SecretSource(secret=NAME))


def test_its_representation_holds_no_password(secret):
    source = SecretSource(secret=NAME)
    ask(source)

    assert PASSWORD not in repr(source)
