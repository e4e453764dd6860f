"""Is this PostgreSQL fit to be replicated from? Everything that is not, at once, with its remedy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import class_row

from autocorp_assets.contracts.model import TableContract
from autocorp_assets.local.source.errors import Problem, SourceError

SCHEMA = "public"
SAFE_SSL_MODES = ("require", "verify-ca", "verify-full")
_CONNECT_SECONDS = "10"
_PLAIN_HOST = re.compile(r"[\w.:%-]*|[/@].*", re.ASCII)
_PLAIN_PORT = re.compile(r"[\d,]*", re.ASCII)
_REFUSED = re.compile(r"authentication failed|no password supplied|no pg_hba.conf entry|role .* does not exist")
_NO_DATABASE = re.compile(r"database .* does not exist")
_NO_TLS = re.compile(r"does not support SSL")


def require_ready(
    dsn: str, tables: Iterable[TableContract], *, slot: str | None = None, publication: str | None = None
) -> None:
    """Raise SourceError with every finding of `preflight`; return when there is none."""
    if problems := preflight(dsn, tables, slot=slot, publication=publication):
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise SourceError(f"The source is not ready for replication:\n{listed}", problems=problems)


def preflight(
    dsn: str, tables: Iterable[TableContract], *, slot: str | None = None, publication: str | None = None
) -> list[Problem]:
    """Everything that stands between this source and its replication; empty when it is ready.

    Args:
        tables: Expected in schema `public`.
        slot: Replication slot that is to be used; when it is there already, no free one is needed.
        publication: Publication that is to be used; when it is missing, it has to be possible to create it.
    """
    try:
        target = Target.parse(dsn)
    except SourceError as error:
        return list(error.problems)
    problems = target.transport_problems()
    # Never speak in the clear to a remote server, not even to find out what else is wrong.
    overrides = {"sslmode": "require"} if problems else {}
    defaults = {"connect_timeout": _CONNECT_SECONDS, "application_name": "autocorp_preflight"}
    try:
        connection = psycopg.connect(make_conninfo(dsn, **{**defaults, **overrides}), autocommit=True)
    except psycopg.OperationalError as error:
        return [*problems, target.connection_problem(str(error))]
    with connection:
        return [
            *problems,
            *_encryption_problems(connection),
            *_server_problems(connection, slot=slot),
            *_table_problems(connection, list(tables), publication=publication),
        ]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a connection string leads, environment variables of libpq included; without the password."""

    host: str
    port: str
    user: str
    database: str
    sslmode: str

    @classmethod
    def parse(cls, dsn: str) -> Target:
        """Read a connection string.

        Raises:
            SourceError: It is malformed. What it says is not repeated: a password that was not
                encoded turns up in any part.
        """
        unreadable = Problem(
            what="The connection string of the source cannot be read.",
            remedy="Set AUTOCORP_SOURCE_DSN=postgresql://user:password@host:5432/autocorp, with the special characters "
            "of the password percent-encoded (@ is %40, / is %2F).",
        )
        try:
            given = {option.keyword.decode(): option.val for option in pq.Conninfo.parse(dsn.encode())}
        except psycopg.OperationalError:
            raise SourceError(str(unreadable), problems=[unreadable]) from None
        default = {option.keyword.decode(): option.val for option in pq.Conninfo.get_defaults()}

        def value(keyword: str) -> str:
            return (given.get(keyword) or default.get(keyword) or b"").decode()

        target = cls(
            host=value("hostaddr") or value("host"),
            port=value("port"),
            user=value("user"),
            database=value("dbname") or value("user"),
            sslmode=value("sslmode"),
        )
        hosts_are_plain = all(_PLAIN_HOST.fullmatch(host) for host in target.host.split(","))
        if not (hosts_are_plain and _PLAIN_PORT.fullmatch(target.port) and "@" not in target.database):
            raise SourceError(str(unreadable), problems=[unreadable])
        return target

    @property
    def address(self) -> str:
        return f"{self.host or 'the local socket'}, port {self.port}"

    def transport_problems(self) -> list[Problem]:
        """Off this machine only TLS will do: rows and password would travel in the clear."""
        if self.sslmode in SAFE_SSL_MODES or all(map(is_local, self.host.split(","))):
            return []
        return [
            Problem(
                what=f"The connection to {self.address} may be unencrypted (sslmode={self.sslmode}).",
                remedy="Add sslmode=verify-full and sslrootcert=<the server's CA> to AUTOCORP_SOURCE_DSN, or at least "
                "sslmode=require.",
            )
        ]

    def connection_problem(self, message: str) -> Problem:
        """What libpq's words mean for the operator."""
        said = message.strip().splitlines()[0]
        role, database = sql.Identifier(self.user).as_string(), sql.Identifier(self.database).as_string()
        if _NO_TLS.search(message):
            what = f"The server at {self.address} does not offer TLS."
            remedy = "Give it a certificate, then: ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf();"
        elif _REFUSED.search(message):
            what = f"The server at {self.address} does not let {self.user} in: {said}"
            remedy = (
                f"Check user and password; to make the user anew: CREATE ROLE {role} LOGIN REPLICATION PASSWORD '…'; "
                f"and let it in by pg_hba.conf: hostssl {database} {role} <this machine's address>/32 scram-sha-256"
            )
        elif _NO_DATABASE.search(message):
            what = f"The server at {self.address} has no database {self.database}."
            remedy = f"Correct the name in AUTOCORP_SOURCE_DSN, or: CREATE DATABASE {database};"
        else:
            what = f"No PostgreSQL answers at {self.address}: {said}"
            remedy = f"Check that it runs and that no firewall is between: pg_isready -h {self.host} -p {self.port}"
        return Problem(what=what, remedy=remedy)


def is_local(host: str) -> bool:
    """Whether a host, as libpq takes it, is a socket or loopback; only that needs no TLS."""
    if host in {"", "localhost"} or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _encryption_problems(connection: psycopg.Connection) -> list[Problem]:
    """What the connection string promised, seen from the server."""
    row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    if is_local(connection.info.hostaddr or connection.info.host) or (row is not None and row[0]):
        return []
    return [
        Problem(
            what=f"The connection to {connection.info.host} is not encrypted.",
            remedy="Have the server, or the proxy in front of it, offer TLS, and set sslmode=verify-full.",
        )
    ]


@dataclass(frozen=True, kw_only=True)
class _Server:
    role: str
    wal_level: str
    may_replicate: bool
    slots: int
    used_slots: int
    has_slot: bool


_SERVER_QUERY = """
    SELECT current_user AS role,
           current_setting('wal_level') AS wal_level,
           rolsuper OR rolreplication OR EXISTS (
               SELECT FROM pg_roles managed  -- Amazon RDS grants replication by membership
               WHERE managed.rolname = 'rds_replication' AND pg_has_role(current_user, managed.oid, 'MEMBER')
           ) AS may_replicate,
           current_setting('max_replication_slots')::int AS slots,
           (SELECT count(*) FROM pg_replication_slots) AS used_slots,
           EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %s) AS has_slot
    FROM pg_roles WHERE rolname = current_user
"""


def _server_problems(connection: psycopg.Connection, *, slot: str | None) -> list[Problem]:
    with connection.cursor(row_factory=class_row(_Server)) as cursor:
        server = cursor.execute(_SERVER_QUERY, [slot]).fetchone()
    assert server is not None  # noqa: S101 - who is connected has a role
    role = sql.Identifier(server.role).as_string()
    problems = []
    if server.wal_level != "logical":
        problems.append(
            Problem(
                what=f"The server's wal_level is {server.wal_level}: its log does not hold what replication needs.",
                remedy="ALTER SYSTEM SET wal_level = 'logical'; then restart the server "
                "(Amazon RDS: rds.logical_replication = 1 in the parameter group, then reboot).",
            )
        )
    if not server.may_replicate:
        problems.append(
            Problem(
                what=f"{server.role} may not replicate.",
                remedy=f"ALTER ROLE {role} REPLICATION; (Amazon RDS: GRANT rds_replication TO {role};)",
            )
        )
    if not server.has_slot and server.used_slots >= server.slots:
        problems.append(
            Problem(
                what=f"All {server.slots} replication slots are taken.",
                remedy="Drop one that pg_replication_slots shows as unused, with pg_drop_replication_slot('<name>'), "
                f"or ALTER SYSTEM SET max_replication_slots = {server.slots + 5}; then restart the server.",
            )
        )
    return problems


@dataclass(frozen=True, kw_only=True)
class _Table:
    name: str
    exists: bool
    readable: bool
    owned: bool
    primary_key: Sequence[str]
    key_constraint: str | None


_TABLE_QUERY = """
    SELECT wanted.name,
           c.oid IS NOT NULL AS exists,
           coalesce(has_table_privilege(c.oid, 'SELECT'), false) AS readable,
           coalesce(pg_has_role(c.relowner, 'USAGE'), false) AS owned,
           ARRAY(
               SELECT attname::text FROM pg_attribute
               WHERE attrelid = c.oid AND attnum = ANY (k.conkey) ORDER BY array_position(k.conkey, attnum)
           ) AS primary_key,
           k.conname::text AS key_constraint
    FROM unnest(%(tables)s::text[]) WITH ORDINALITY AS wanted (name, position)
    LEFT JOIN pg_namespace n ON n.nspname = %(schema)s
    LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
    ORDER BY wanted.position
"""
_RIGHTS_QUERY = """
    SELECT coalesce(has_schema_privilege(to_regnamespace(%(schema)s), 'USAGE'), false),
           EXISTS (SELECT FROM pg_publication WHERE pubname = %(publication)s),
           has_database_privilege(current_database(), 'CREATE')
"""


def _table_problems(
    connection: psycopg.Connection, contracts: Sequence[TableContract], *, publication: str | None
) -> list[Problem]:
    with connection.cursor(row_factory=class_row(_Table)) as cursor:
        parameters: Mapping[str, object] = {"schema": SCHEMA, "tables": [contract.name for contract in contracts]}
        tables = cursor.execute(_TABLE_QUERY, parameters).fetchall()
    rights = connection.execute(_RIGHTS_QUERY, {"schema": SCHEMA, "publication": publication}).fetchone()
    assert rights is not None  # noqa: S101 - a SELECT without FROM gives one row
    may_enter, has_publication, may_create = rights
    role = sql.Identifier(connection.info.user).as_string()
    problems = []
    if not may_enter:
        problems.append(
            Problem(what=f"{role} may not use schema {SCHEMA}.", remedy=f"GRANT USAGE ON SCHEMA {SCHEMA} TO {role};")
        )
    for contract, table in zip(contracts, tables, strict=True):
        problems += _problems_of_table(contract, table, role=role, database=connection.info.dbname)
    may_publish = may_create and all(table.owned for table in tables if table.exists)
    if publication is not None and not has_publication and not may_publish:
        names = ", ".join(_qualified(contract.name) for contract in contracts)
        problems.append(
            Problem(
                what=f"Publication {publication} does not exist, and {role} may not create it.",
                remedy=f"As the owner of the tables: CREATE PUBLICATION {sql.Identifier(publication).as_string()} "
                f"FOR TABLE {names};",
            )
        )
    return problems


def _problems_of_table(contract: TableContract, table: _Table, *, role: str, database: str) -> list[Problem]:
    name = _qualified(table.name)
    key = sql.Identifier(contract.primary_key).as_string()
    if not table.exists:
        return [
            Problem(
                what=f"Database {database} has no table {name}.",
                remedy="Create it there, or name the database that has it in AUTOCORP_SOURCE_DSN.",
            )
        ]
    problems = []
    if not table.readable:
        problems.append(Problem(what=f"{role} may not read {name}.", remedy=f"GRANT SELECT ON {name} TO {role};"))
    if table.key_constraint is None:
        problems.append(
            Problem(what=f"{name} has no primary key.", remedy=f"ALTER TABLE {name} ADD PRIMARY KEY ({key});")
        )
    elif tuple(table.primary_key) != (contract.primary_key,):
        constraint = sql.Identifier(table.key_constraint).as_string()
        problems.append(
            Problem(
                what=f"{name} has the primary key ({', '.join(table.primary_key)}), and the lake knows its rows by "
                f"{contract.primary_key}.",
                remedy=f"ALTER TABLE {name} DROP CONSTRAINT {constraint}, ADD PRIMARY KEY ({key});",
            )
        )
    return problems


def _qualified(table: str) -> str:
    return sql.Identifier(SCHEMA, table).as_string()
