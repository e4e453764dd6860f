"""The source as this machine reaches it: the embedded PostgreSQL, or another by its connection string."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autocorp_assets.resources.ports.source import SourceUnavailable
from autocorp_assets.resources.read_only_session import APPLICATION, restrict, told_as_unavailable
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, kw_only=True)
class LocalSource:
    """ReadOnlySource: starts the embedded server for as long as it is needed when it does not run."""

    settings: Settings

    @contextmanager
    def connect(self, *, statement_seconds: float) -> Generator[psycopg.Connection]:
        from psycopg.conninfo import make_conninfo

        from autocorp_assets.local.replicator.source import connect
        from autocorp_assets.local.source.connection import open_source, without_password

        self._require_embedded()
        with told_as_unavailable(statement_seconds), open_source(self.settings, seed=False) as source:
            without_password(source.dsn)  # tells what is wrong with the string without quoting it
            with connect(make_conninfo(source.dsn, application_name=APPLICATION)) as connection:
                restrict(connection, statement_seconds)
                yield connection

    def _require_embedded(self) -> None:
        """A comparison makes no database: an empty one would only look like a source that lost everything."""
        if self.settings.source_dsn is None and not self.settings.source_folder.is_dir():
            message = "there is no source yet: `autocorp sync` makes one, or set AUTOCORP_SOURCE_DSN"
            raise SourceUnavailable(message)
