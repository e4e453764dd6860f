"""`autocorp source`: the PostgreSQL that the lake is fed from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from autocorp_assets.cli.local_only import local_settings

if TYPE_CHECKING:
    from autocorp_assets.local.source.postgres import EmbeddedPostgres
    from autocorp_assets.settings import Settings

INSTEAD = (
    "There the source is the database behind the DMS task, which secret AUTOCORP_AWS_SOURCE_SECRET names: use its own "
    "tools; `autocorp doctor` says whether it can be reached."
)
app = typer.Typer(name="source", help="The PostgreSQL that the lake is fed from.", no_args_is_help=True)


@app.command()
def start() -> None:
    """Start the embedded PostgreSQL and leave it running until `autocorp source stop`.

    The first start makes the database and fills it with the business's tables.

    Example: autocorp source start
    """
    from autocorp_assets.local.source.connection import ensure_seeded

    server = _embedded(local_settings("source start", instead=INSTEAD))
    was_started = server.start(guarded=False)
    was_seeded = ensure_seeded(server.dsn)
    typer.echo(f"PostgreSQL {'is running' if was_started else 'was running already'}: {server.dsn}")
    if was_seeded:
        typer.echo("Its database was empty and now holds the business's tables.")
    typer.echo('Look inside with: autocorp source psql   or: psql "$(autocorp source dsn)"', err=True)


@app.command()
def stop() -> None:
    """Stop the embedded PostgreSQL, whoever started it.

    Example: autocorp source stop
    """
    server = _embedded(local_settings("source stop", instead=INSTEAD))
    was_running = server.is_running()
    server.stop()
    typer.echo("PostgreSQL has stopped." if was_running else "PostgreSQL was not running.")


@app.command()
def dsn() -> None:
    """Print the connection string, without a password, and nothing else.

    The embedded server's names the file that holds its password; for a PostgreSQL of your own,
    libpq asks PGPASSWORD or your ~/.pgpass.

    Example: psql "$(autocorp source dsn)"
    """
    typer.echo(_address(local_settings("source dsn", instead=INSTEAD))[0])


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the source; what follows goes to psql (after `--` also --help).

    Examples:

    autocorp source psql

    autocorp source psql -c 'SELECT count(*) FROM customers'
    """
    from autocorp_assets.local.source.launch import installed_programs

    address, environment = _address(local_settings("source psql", instead=INSTEAD))
    program = str(installed_programs() / "psql")
    # A new process image: Ctrl-C, job control and the exit code are psql's own.
    os.execve(program, [program, f"--dbname={address}", *context.args], environment)  # noqa: S606 - no shell wanted


def _address(settings: Settings) -> tuple[str, dict[str, str]]:
    """Connection string without a password, and the environment in which a libpq program finds it."""
    from autocorp_assets.local.source.connection import without_password

    if settings.source_dsn is not None:
        address, password = without_password(settings.source_dsn.get_secret_value())
        return address, {**os.environ, **({} if password is None else {"PGPASSWORD": password})}
    server = _embedded(settings)
    if not server.is_running():
        typer.echo("PostgreSQL is not running. Start it with: autocorp source start", err=True)
    # libpq would prefer the shell's PGPASSWORD and the like to what the connection string says.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return server.dsn, {**environment, "PGPASSFILE": str(server.cluster.passfile)}


def _embedded(settings: Settings) -> EmbeddedPostgres:
    from autocorp_assets.local.source.connection import embedded
    from autocorp_assets.local.source.errors import SourceError

    if settings.source_dsn is not None:
        raise SourceError(
            "AUTOCORP_SOURCE_DSN is set, so the source is a PostgreSQL of your own, which this command does not start "
            "or stop. Unset it to use the embedded one."
        )
    return embedded(settings)
