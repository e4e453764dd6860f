"""Runs a spark_jobs script as Glue would, in a process that leaves nothing behind however it ends.

    python -m autocorp_assets.local.spark_runner SCRIPT [ARGUMENT…]

The configuration comes as a JSON object in the environment variable AUTOCORP_SPARK_CONF; the script
itself just asks for a session. Two things end the JVM with us, beside a good end:

- a thread that waits for a signal or for the end of our parent, whatever the script is doing;
- an undertaker: a shell whose standard input only we hold open. When the kernel closes that end, it kills
  our process group and removes the scratch folder. So even after `kill -9` no JVM goes on writing, and the
  lake's writer lock, whose descriptor the shell inherits, is not free before the JVM is gone.
"""

from __future__ import annotations

import json
import logging
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NoReturn

import psutil

from autocorp_assets.local.spark_runtime import spark_environment

SPARK_CONF_VARIABLE = "AUTOCORP_SPARK_CONF"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PARENT_CHECK_SECONDS = 0.5
STOP_SECONDS = 10
"""How long the JVM may take to stop when we were told to."""
EXIT_SECONDS = 120
"""How long it may take after a good end: usually half a second, but it may have an archive of classes to write."""

# Those that end us may signal all our descendants: not this one. `read` ends by the end of its input. A killed
# JVM takes a moment to go; the wait is bounded, since where nobody collects orphans their group never empties.
_UNDERTAKER = """
trap "" TERM INT HUP
read -r _
kill -s KILL -- "-$1"
for _ in $(seq 100); do kill -s 0 -- "-$1" || break; sleep 0.05; done
rm -rf "$2"
"""


def main() -> None:
    """Run the script named by the first argument as `__main__`, with the others as its arguments."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m autocorp_assets.local.spark_runner SCRIPT [ARGUMENT…]")
    parent = os.getppid()
    if os.getpgrp() != os.getpid():
        os.setsid()
    scratch = Path(tempfile.mkdtemp(prefix="autocorp-spark-"))
    undertaker = _start_undertaker(scratch)
    threading.Thread(target=_watch, args=(_signals(), parent, undertaker), daemon=True).start()
    os.environ.update(spark_environment(json.loads(os.environ.get(SPARK_CONF_VARIABLE, "{}")), scratch))
    sys.argv = sys.argv[1:]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        # py4j would report that its finalizers do not reach the JVM any more.
        logging.disable()
        _end_children(but=undertaker, seconds=EXIT_SECONDS)


def _start_undertaker(scratch: Path) -> int:
    """Its process id. In a session of its own, it also outlives a SIGKILL to our group."""
    # Plain descriptors, not file objects: the interpreter would close those before the process has ended.
    reader, _writer = os.pipe()
    process = subprocess.Popen(
        ["/bin/sh", "-c", _UNDERTAKER, "autocorp-undertaker", str(os.getpgrp()), str(scratch)],
        stdin=reader,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        close_fds=False,  # it shares the writer lock
    )
    os.close(reader)
    return process.pid


def _signals() -> int:
    """A descriptor with one byte a signal.

    Python's own handlers run only when the main thread gets to it, and pyspark replaces that of SIGINT.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)
    return reader


def _watch(signals: int, parent: int, undertaker: int) -> NoReturn:
    """Wait until we are to end, then do so."""
    while os.getppid() == parent:
        ready, _, _ = select.select([signals], [], [], PARENT_CHECK_SECONDS)
        if ready and (number := os.read(signals, 1)[0]) in STOP_SIGNALS:
            _end_children(but=undertaker, seconds=STOP_SECONDS)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(128 + number)
    # Nobody is left to hear of a polite end.
    os._exit(128 + signal.SIGKILL)


def _end_children(*, but: int, seconds: float) -> None:
    """Ask the JVM to stop, which takes its Python workers along, and wait for it; kill what remains."""
    family = [child for child in psutil.Process().children(recursive=True) if child.pid != but]
    for child in family:
        if child.ppid() == os.getpid():
            child.terminate()
    _, alive = psutil.wait_procs(family, timeout=seconds)
    for child in alive:
        child.kill()


if __name__ == "__main__":
    main()
