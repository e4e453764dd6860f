"""The source that the settings mean: the embedded PostgreSQL, or any other by its connection string."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.source.errors import SourceError
from autocorp_assets.local.source.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from autocorp_assets.settings import Settings

__all__ = ["Source", "SourceError", "embedded", "ensure_seeded", "open_source", "running_dsn", "without_password"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A PostgreSQL that may be connected to."""

    dsn: str = field(repr=False)
    """libpq connection string; an external one is the operator's own and may hold a password."""
    is_embedded: bool

    @property
    def dsn_without_password(self) -> str:
        """For command lines and screens.

        Raises:
            SourceError: The operator's connection string is malformed.
        """
        return without_password(self.dsn)[0]


def without_password(dsn: str) -> tuple[str, str | None]:
    """A connection string that may be shown, and the password that it had.

    Raises:
        SourceError: It is malformed.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    from autocorp_assets.local.source.preflight import Target

    Target.parse(dsn)
    parameters = conninfo_to_dict(dsn)
    password = parameters.pop("password", None)
    if password is None and "sslpassword" not in parameters:
        return dsn, None
    parameters.pop("sslpassword", None)
    return make_conninfo("", **parameters), None if password is None else str(password)


def embedded(settings: Settings) -> EmbeddedPostgres:
    """The data folder's own server, in whatever state it is."""
    return EmbeddedPostgres(settings.source_folder)


def running_dsn(settings: Settings) -> str | None:
    """Connection string of the source if it may be up; None for an embedded one that does not run."""
    if settings.source_dsn is not None:
        return settings.source_dsn.get_secret_value()
    if not settings.source_folder.is_dir():
        return None
    server = embedded(settings)
    return server.dsn if server.is_running() else None


@contextmanager
def open_source(settings: Settings, *, seed: bool = True) -> Generator[Source]:
    """The source, ready to be connected to while inside.

    The embedded server is started when it does not run, and stopped again at the end only then; it
    never outlives this process. An external one is taken as it is: see `preflight.require_ready`.

    Args:
        seed: Fill the embedded database when it has no tables yet.

    Raises:
        SourceError: The embedded server does not start.
    """
    if settings.source_dsn is not None:
        yield Source(dsn=settings.source_dsn.get_secret_value(), is_embedded=False)
        return
    server = embedded(settings)
    is_ours = server.start(guarded=True)
    try:
        if seed:
            ensure_seeded(server.dsn)
        yield Source(dsn=server.dsn, is_embedded=True)
    finally:
        if is_ours:
            server.stop()


def ensure_seeded(dsn: str) -> bool:
    """Give an empty database the schema and rows of the business; whether anything was done."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY (%s)", [list(TABLES)]
        ).fetchone()
    if found == (len(TABLES),):
        return False
    # Costs a second of imports, which only the first start has to pay.
    from autocorp_assets.local.generator.seed import seed_database

    return bool(seed_database(dsn))
