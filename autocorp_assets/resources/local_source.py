"""The source as this machine reaches it: the embedded PostgreSQL, or another by its connection string."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autocorp_assets.resources.ports import SourceUnavailable
from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    import psycopg

APPLICATION = "autocorp_reconcile"
"""Under this name the source's operator sees our queries."""


@dataclass(frozen=True, kw_only=True)
class LocalSource:
    """ReadOnlySource: starts the embedded server for as long as it is needed when it does not run."""

    settings: Settings

    @contextmanager
    def connect(self, *, statement_seconds: float) -> Generator[psycopg.Connection]:
        import psycopg
        from psycopg.conninfo import make_conninfo

        from autocorp_assets.local.replicator.checkpoint import ReplicationError
        from autocorp_assets.local.replicator.source import connect
        from autocorp_assets.local.source.connection import SourceError, open_source, without_password

        self._require_embedded()
        try:
            with open_source(self.settings, seed=False) as source:
                without_password(source.dsn)  # tells what is wrong with the string without quoting it
                with connect(make_conninfo(source.dsn, application_name=APPLICATION)) as connection:
                    _restrict(connection, statement_seconds)
                    yield connection
        except (ReplicationError, SourceError) as error:
            raise SourceUnavailable(str(error)) from error
        except psycopg.errors.QueryCanceled as error:
            message = (
                f"a query of the source took longer than {statement_seconds:.0f} s and was given up ({error}): compare "
                "a range of keys, or allow it more time"
            )
            raise SourceUnavailable(message) from error
        except psycopg.Error as error:
            message = f"the source cannot be asked: {str(error).strip()}"
            raise SourceUnavailable(message) from error

    def _require_embedded(self) -> None:
        """A comparison makes no database: an empty one would only look like a source that lost everything."""
        if self.settings.source_dsn is None and not self.settings.source_folder.is_dir():
            message = "there is no source yet: `autocorp sync` makes one, or set AUTOCORP_SOURCE_DSN"
            raise SourceUnavailable(message)


def _restrict(connection: psycopg.Connection, statement_seconds: float) -> None:
    for name, value in {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{statement_seconds * 1000:.0f}",
        # A comparison can wait: it takes one process of the server, whatever the size of the table.
        "max_parallel_workers_per_gather": "0",
    }.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
