"""How we read the source, whichever way it was reached: read only, within a time, one process of the server."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autocorp_assets.resources.ports.source import SourceUnavailable

if TYPE_CHECKING:
    import psycopg

APPLICATION = "autocorp_reconcile"
"""Under this name the source's operator sees our queries."""


def restrict(connection: psycopg.Connection, statement_seconds: float) -> None:
    """From now on the session only reads, and no statement takes longer than that."""
    for name, value in {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{statement_seconds * 1000:.0f}",
        # A comparison can wait: it takes one process of the server, whatever the size of the table.
        "max_parallel_workers_per_gather": "0",
    }.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))


@contextmanager
def told_as_unavailable(statement_seconds: float) -> Generator[None]:
    """What goes wrong in the database while inside is SourceUnavailable, without a password."""
    import psycopg

    from autocorp_assets.local.replicator.checkpoint import ReplicationError
    from autocorp_assets.local.source.errors import SourceError

    try:
        yield
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
