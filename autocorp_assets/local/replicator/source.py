"""The source as replication needs it: connections, publication, slot."""

from __future__ import annotations

import ipaddress
import os
import time
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.replicator.checkpoint import ReplicationError
from autocorp_assets.local.replicator.pgoutput import Row
from autocorp_assets.local.replicator.table import SOURCE_SCHEMA, SourceTable

PUBLICATION = "autocorp_lake"

# The same text from COPY and from the stream, whatever the server, the database or the role sets.
_SESSION = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # An error instead of a load without the rows that a policy hides.
    "row_security": "off",
}
_CONNECTION = {
    "application_name": "autocorp_replicator",
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
_SAFE_SSL_MODES = ("require", "verify-ca", "verify-full")

# By the root, so that the partitions of a table are told as the table.
_PUBLISH: LiteralString = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
_PUBLISHED = """
    SELECT c.relname FROM pg_publication p
    JOIN pg_publication_rel r ON r.prpubid = p.oid
    JOIN pg_class c ON c.oid = r.prrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE p.pubname = %(publication)s AND n.nspname = %(schema)s
      AND p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot
      AND to_jsonb(r) ->> 'prqual' IS NULL AND to_jsonb(r) ->> 'prattrs' IS NULL
"""
_PRESENT = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s) AND c.relkind IN ('r', 'p')
"""
_SLOT = """
    SELECT s.active_pid, s.database, s.plugin, s.confirmed_flush_lsn - '0/0'::pg_lsn AS confirmed,
           to_jsonb(s) ->> 'wal_status' AS wal_status, to_jsonb(s) ->> 'invalidation_reason' AS invalidation,
           pg_current_wal_lsn() - s.restart_lsn AS retained
    FROM pg_replication_slots s WHERE slot_name = %(slot)s
"""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A replication slot as the source shows it."""

    active_pid: int | None
    confirmed: int
    is_lost: bool
    retained_bytes: int


def connect(dsn: str, *, replication: bool = False) -> psycopg.Connection:
    """An autocommit connection; off loopback only with TLS.

    Raises:
        ReplicationError: the connection string is malformed or asks for less than TLS.
        psycopg.OperationalError: the source cannot be reached.
    """
    try:
        parameters = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # its text would quote the string, and with it the password
        msg = "the source's connection string is not one that libpq understands"
        raise ReplicationError(msg) from None
    host = parameters.get("hostaddr") or parameters.get("host") or os.environ.get("PGHOST") or ""
    if not _is_local(str(host)):
        mode = str(parameters.setdefault("sslmode", "require"))
        if mode not in _SAFE_SSL_MODES:
            msg = f"sslmode={mode} to {host}: off this machine use one of {', '.join(_SAFE_SSL_MODES)}"
            raise ReplicationError(msg)
    options = " ".join([str(parameters.get("options") or ""), *(f"-c {k}={v}" for k, v in _SESSION.items())])
    merged = {**_CONNECTION, **parameters, "options": options.strip()}
    if replication:
        merged["replication"] = "database"
    return psycopg.connect(make_conninfo("", **merged), autocommit=True)


def identity(connection: psycopg.Connection) -> str:
    """System identifier and database, which tell one source from another."""
    return str(_value(connection, "SELECT system_identifier || '/' || current_database() FROM pg_control_system()"))


def current_lsn(connection: psycopg.Connection) -> int:
    """Where the part of the source's log that is on its disk ends now; only that is decoded."""
    return int(_value(connection, "SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn"))


def committed_lsn(connection: psycopg.Connection) -> int:
    """A position that covers every commit which can be seen now.

    With synchronous_commit off a commit is seen before it is on disk, which it is within three
    rounds of the log writer (PostgreSQL manual, "Asynchronous Commit"). Log of transactions that are
    still open may stay in memory much longer, and is not waited for.
    """
    end = int(_value(connection, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
    delay = _value(connection, "SELECT extract(epoch FROM current_setting('wal_writer_delay')::interval)")
    deadline = time.monotonic() + 3 * float(delay)
    while (flushed := current_lsn(connection)) < end and time.monotonic() < deadline:
        time.sleep(0.01)
    return min(flushed, end)


def require_logical(connection: psycopg.Connection) -> None:
    """Raises ReplicationError unless the source writes a log that can be decoded."""
    if (level := _value(connection, "SHOW wal_level")) != "logical":
        msg = f"the source's wal_level is {level}: ALTER SYSTEM SET wal_level = logical, and restart it"
        raise ReplicationError(msg)


def missing(connection: psycopg.Connection) -> list[str]:
    """Contract tables that the source does not have."""
    rows = connection.execute(_PRESENT, {"schema": SOURCE_SCHEMA, "tables": list(TABLES)})
    present = {row[0] for row in rows}
    return [table for table in TABLES if table not in present]


def unpublished(connection: psycopg.Connection) -> list[str]:
    """Contract tables that the publication does not give whole: every row, column and kind of change.

    One that the source no longer has is none of them: it has no changes to miss.
    """
    rows = connection.execute(_PUBLISHED, {"publication": PUBLICATION, "schema": SOURCE_SCHEMA})
    published = {row[0] for row in rows}.union(missing(connection))
    return [table for table in TABLES if table not in published]


def ensure_publication(connection: psycopg.Connection) -> bool:
    """Publish exactly the contracts' tables; whether anything had to be changed for that.

    Raises:
        ReplicationError: the role may not; the text has the SQL for one who may.
    """
    if not unpublished(connection) and not missing(connection):
        return False
    exists = connection.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", (PUBLICATION,)).fetchone()
    name = sql.Identifier(PUBLICATION)
    tables = sql.SQL(", ").join(sql.Identifier(SOURCE_SCHEMA, table) for table in TABLES)
    if exists:
        kinds = sql.SQL("ALTER PUBLICATION {} SET ({})").format(name, sql.SQL(_PUBLISH))
        statements = [kinds, sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(name, tables)]
    else:
        statements = [sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH ({})").format(name, tables, sql.SQL(_PUBLISH))]
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState) as error:
        text = "; ".join(statement.as_string(connection) for statement in statements)
        msg = (
            f"the source refused the publication ({error.diag.message_primary}); let an owner of the tables run: {text}"
        )
        raise ReplicationError(msg) from error
    except psycopg.errors.UndefinedTable as error:
        msg = f"the source lacks a table: {error.diag.message_primary}; create it, or connect to the right database"
        raise ReplicationError(msg) from error
    return True


def slot(connection: psycopg.Connection, name: str) -> Slot | None:
    """The slot of that name, None when there is none.

    Raises:
        ReplicationError: it is not a pgoutput slot of this database.
    """
    cursor = connection.execute(_SLOT, {"slot": name})
    row = cursor.fetchone()
    if row is None:
        return None
    active_pid, database, plugin, confirmed, wal_status, invalidation, retained = row
    if plugin != "pgoutput" or database != connection.info.dbname:
        msg = f"slot {name} of the source belongs to {plugin} on database {database}: set another slot name"
        raise ReplicationError(msg)
    is_lost = wal_status == "lost" or invalidation is not None
    return Slot(
        active_pid=active_pid, confirmed=int(confirmed or 0), is_lost=is_lost, retained_bytes=int(retained or 0)
    )


def slot_log_limit(connection: psycopg.Connection) -> int | None:
    """Bytes of log that the source keeps for a slot before it gives the slot up; None: as many as it takes.

    Before PostgreSQL 13 there was no limit.
    """
    megabytes = connection.execute(
        "SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size'"
    ).fetchone()
    return None if megabytes is None or megabytes[0] < 0 else int(megabytes[0]) * 1024 * 1024


def lsn_text(lsn: int) -> str:
    """The log position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def drop_slot(connection: psycopg.Connection, name: str) -> None:
    connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))


def terminate(connection: psycopg.Connection, pid: int) -> None:
    """End the server process that holds our slot for a replicator that is no more."""
    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


def present_values(connection: psycopg.Connection, table: SourceTable, positions: list[int], row: Row) -> Row:
    """What the source holds now in these columns of the row with the key of `row`; NULLs when it is gone.

    A later change may have made it: that change follows in the stream, so that the lake converges.
    """
    columns = sql.SQL(", ").join(sql.Identifier(table.columns[at].name) for at in positions)
    where = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(table.columns[at].name), sql.Placeholder()) for at in table.key
    )
    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(columns, sql.Identifier(SOURCE_SCHEMA, table.name), where)
    keys = [value.decode() if isinstance(value, bytes) else None for value in (row[at] for at in table.key)]
    result = connection.execute(query, keys).pgresult
    if result is None or not result.ntuples:
        return [None] * len(positions)
    return [result.get_value(0, index) for index in range(len(positions))]


def _is_local(hosts: str) -> bool:
    return all(_is_loopback(host) for host in hosts.split(","))


def _is_loopback(host: str) -> bool:
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _value(connection: psycopg.Connection, query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    if row is None:
        msg = f"the source gave no row for {query}"
        raise ReplicationError(msg)
    return row[0]
