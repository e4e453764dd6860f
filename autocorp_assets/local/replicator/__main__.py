"""`python -m autocorp_assets.local.replicator`: replicate until told to stop."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from autocorp_assets.local.replicator.checkpoint import ReplicationError
from autocorp_assets.local.replicator.service import DEFAULT_SLOT, replicate

DSN_VARIABLE = "AUTOCORP_REPLICATOR_DSN"


def main() -> int:
    """Exit code 0 when stopped or caught up, 1 when somebody has to act, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="replicator", description=f"The source is {DSN_VARIABLE} in the environment.")
    parser.add_argument("--lake", type=Path, required=True, help="root of the lake")
    parser.add_argument("--state", type=Path, required=True, help="folder of checkpoint, lock and status")
    parser.add_argument("--once", action="store_true", help="end when raw has what the source has now")
    parser.add_argument("--deadline", type=float, metavar="SECONDS", help="with --once: give up after so long")
    parser.add_argument(
        "--flush", type=float, default=1.0, metavar="SECONDS", help="longest wait of a change for others"
    )
    parser.add_argument("--slot", default=DEFAULT_SLOT, help="replication slot (default: %(default)s)")
    options = parser.parse_args()
    dsn = os.environ.pop(DSN_VARIABLE, None)
    if dsn is None:
        parser.error(f"{DSN_VARIABLE} is not set")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        replicate(
            dsn=dsn,
            lake=options.lake,
            state=options.state,
            until_caught_up=options.once,
            deadline_seconds=options.deadline,
            stop=stop,
            on_progress=_say,
            flush_seconds=options.flush,
            slot=options.slot,
        )
    except (ReplicationError, psycopg.Error, OSError) as error:
        _say(f"error: {error}")
        return 1
    return 0


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # a log that cannot be written, for want of room, ends nothing
        sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
