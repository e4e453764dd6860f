"""The source by the secret that names it and holds its password."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.ports.source import SourceUnavailable
from autocorp_assets.resources.read_only_session import APPLICATION, restrict, told_as_unavailable

if TYPE_CHECKING:
    import psycopg

FIELDS = ("host", "port", "username", "password", "dbname")
"""As RDS writes a database's secret (AWS Secrets Manager user guide, "JSON structure of secrets")."""
WRONG_PASSWORD = re.compile(r"authentication failed", re.IGNORECASE)
"""libpq gives a failed connection no code of its own, only the server's words."""
REMEDIES = {
    "ResourceNotFoundException": "create it, or name another in AUTOCORP_AWS_SOURCE_SECRET",
    "AccessDeniedException": "let the role call secretsmanager:GetSecretValue on it, and kms:Decrypt with its key",
    "DecryptionFailure": "let the role call kms:Decrypt with the secret's key",
    "InvalidRequestException": "if it is marked for deletion, restore it (aws secretsmanager restore-secret)",
}


@dataclass
class _Remembered:
    """The secret's content between two connections."""

    parameters: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class SecretSource:
    """ReadOnlySource of the `aws` deployment. Talks to nobody before it is used."""

    secret: str
    """Name or ARN in Secrets Manager."""
    root_certificate: Path | None = None
    """The server's name is verified by it; without one the connection is encrypted only."""
    _remembered: _Remembered = field(default_factory=_Remembered, repr=False, compare=False)

    @contextmanager
    def connect(self, *, statement_seconds: float) -> Generator[psycopg.Connection]:
        with told_as_unavailable(statement_seconds), self._connect() as connection:
            restrict(connection, statement_seconds)
            yield connection

    def address(self) -> str:
        """Host and port, for the operator.

        Raises:
            SourceUnavailable: the secret cannot be read.
        """
        parameters = self._parameters()
        return f"{parameters['host']}:{parameters['port']}"

    def connection_string(self) -> str:
        """libpq's, with the password: for libpq only.

        Raises:
            SourceUnavailable: the secret cannot be read.
        """
        from psycopg.conninfo import make_conninfo

        return make_conninfo("", **self._parameters())

    def _connect(self) -> psycopg.Connection:
        import psycopg
        from psycopg.conninfo import make_conninfo

        from autocorp_assets.local.replicator.source import connect

        try:
            return connect(make_conninfo("", **self._parameters()))
        except psycopg.OperationalError as error:
            if not WRONG_PASSWORD.search(str(error)):
                raise
        # The secret may have been rotated since it was read.
        self._remembered.parameters = None
        try:
            return connect(make_conninfo("", **self._parameters()))
        except psycopg.OperationalError as error:
            if not WRONG_PASSWORD.search(str(error)):
                raise
            message = (
                f"the source does not take user and password of secret {self.secret}, read anew just now: set the "
                "role's password in the database to the secret's, or rotate the secret (aws secretsmanager "
                f"rotate-secret --secret-id {self.secret}). The server says: {str(error).strip()}"
            )
            raise SourceUnavailable(message) from error

    def _parameters(self) -> dict[str, str]:
        """libpq's, password included."""
        if self._remembered.parameters is None:
            self._remembered.parameters = self._read()
        return self._remembered.parameters

    def _read(self) -> dict[str, str]:
        from autocorp_assets.local.source.preflight import is_local

        content = _fields(_secret_string(self.secret), self.secret)
        parameters = {
            "host": content["host"],
            "port": content["port"],
            "user": content["username"],
            "password": content["password"],
            "dbname": content["dbname"],
            "application_name": APPLICATION,
        }
        if is_local(content["host"]):
            return parameters
        if self.root_certificate is None:
            return {**parameters, "sslmode": "require"}
        return {**parameters, "sslmode": "verify-full", "sslrootcert": str(self.root_certificate.expanduser())}


def _secret_string(name: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client("secretsmanager").get_secret_value(SecretId=name)
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        remedy = f"; {REMEDIES[code]}" if code in REMEDIES else ""
        message = f"secret {name} of the source cannot be read: {explain(error)}{remedy}"
        raise SourceUnavailable(message) from error
    except BotoCoreError as error:
        message = f"secret {name} of the source cannot be read: {error}"
        raise SourceUnavailable(message) from error
    return answer.get("SecretString") or ""


def _fields(text: str, name: str) -> dict[str, str]:
    """The secret's fields; nothing of its content gets into an error."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    found = content if isinstance(content, dict) else {}
    if missing := [key for key in FIELDS if found.get(key) in (None, "")]:
        message = (
            f"secret {name} of the source is not a JSON object with {', '.join(FIELDS)}: it lacks "
            f"{', '.join(missing)}. Put them there: aws secretsmanager put-secret-value --secret-id {name}"
        )
        raise SourceUnavailable(message)
    if not str(found["port"]).isdecimal():
        message = f"secret {name} of the source has a port that is no number: correct it"
        raise SourceUnavailable(message)
    return {key: str(found[key]) for key in FIELDS}
