"""`autocorp dev`: the whole platform on this machine until Ctrl-C."""

from __future__ import annotations

import signal
from typing import Annotated, NoReturn

import typer

from autocorp_assets.settings import Settings

app = typer.Typer()
EXAMPLES = """
On another port: autocorp dev --port 3333

On your own database: AUTOCORP_SOURCE_DSN='postgresql://user@host/autocorp?sslmode=require' autocorp dev
"""
DEFAULT_PORT = 3000


@app.command(epilog=EXAMPLES)
def dev(
    *,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Of the web server, on 127.0.0.1.")] = DEFAULT_PORT,
) -> None:
    """Run source, replicator and Dagster with all sensors on; prints the URL when it is ready.

    With AUTOCORP_DEPLOYMENT=aws only Dagster runs here: DMS, DataSync and Glue do the rest.

    Ctrl-C stops all of it; what is under way is taken up again by the next start or by `autocorp sync`.
    """
    from autocorp_assets.operations.platform import run_platform

    settings = Settings()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        with run_platform(settings, port=port, say=_say) as platform:
            _say(f"ready: {platform.url}")
            if platform.source is None:
                _say(f"  lake     {settings.lake}")
            else:
                _say(f"  source   {platform.source.dsn_without_password}")
                _say(f"  landing  {settings.landing_folder}  (drop CSV exports here)")
            _say(f"  logs     {settings.logs_folder}")
            _say("  Ctrl-C stops all of it")
            platform.watch()
    except KeyboardInterrupt:
        local = ", the replicator and, if it was started here, the source"
        _say(f"stopped: Dagster{local if settings.deployment == 'local' else ''}")


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    typer.echo(line)
