"""Brings whole CSV exports from the landing folder into raw: the local stand-in for DataSync.

Landing files stay where they are: they are the operator's.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from autocorp_assets.contracts import FEEDS
from autocorp_assets.contracts.model import CsvFeed
from autocorp_assets.lake.export_names import why_ignored
from autocorp_assets.local.deliveries import DeliveredFile, Deliveries, StillChangingError

SETTLED_SECONDS = 2.0


class _Left(Enum):
    """Why a file was not copied."""

    UNCHANGED = auto()
    WAITING = auto()


class TransferError(RuntimeError):
    """A whole file could not be brought into raw; the message names it, the cause and what to do."""


@dataclass(frozen=True, kw_only=True)
class TransferReport:
    """What one look at the landing folder came to; names are those of files in it."""

    feed: str
    copied: tuple[DeliveredFile, ...]
    unchanged: tuple[str, ...]
    """In raw already, with this content."""
    waiting: tuple[str, ...]
    """Still being written; a later transfer takes them."""
    ignored: tuple[tuple[str, str], ...]
    """(name, why it is not taken and what to do) of what looks like the feed's."""
    seconds: float


def transfer(feed_name: str, *, landing: Path, lake: Path, settled_seconds: float = SETTLED_SECONDS) -> TransferReport:
    """Bring every new or corrected export of a feed into raw.

    Safe to repeat, to kill at any point and to run twice at once: the second waits for the first.

    Args:
        feed_name: one of contracts' FEEDS.
        landing: folder in which exports arrive; a missing one has none.
        lake: root of the lake.
        settled_seconds: a file modified less than this ago is taken to be still growing.

    Raises:
        TransferError: a file cannot be read, the lake cannot be written, or a copy does not read back as
            it was written.
    """
    started = time.monotonic()
    feed = FEEDS[feed_name]
    sources, ignored = _look(feed, landing)
    try:
        with Deliveries(lake, feed).alone() as deliveries:
            deliveries.restore_receipts(except_for={source.name for source in sources})
            results = [(source.name, _take(source, deliveries, settled_seconds)) for source in sources]
    except OSError as error:
        raise TransferError(
            f"{feed.name} was not brought into raw from {landing}: {error}. The next transfer tries again: look for "
            f"free space on the disk of {lake}, and whether the platform's user may write there."
        ) from error
    return TransferReport(
        feed=feed.name,
        copied=tuple(result for _, result in results if isinstance(result, DeliveredFile)),
        unchanged=tuple(name for name, result in results if result is _Left.UNCHANGED),
        waiting=tuple(name for name, result in results if result is _Left.WAITING),
        ignored=tuple(ignored),
        seconds=time.monotonic() - started,
    )


def arrivals(feed_name: str, *, landing: Path, lake: Path, settled_seconds: float = SETTLED_SECONDS) -> tuple[str, ...]:
    """What a transfer would take or complain of: one text for each version of a file, which differs when it does.

    Cheap, for a sensor: compares sizes and times and reads no content. A file that was only touched is
    named until the next transfer has looked into it. One that cannot be looked at is named too, for the transfer
    to complain of, and holds back no other.

    Raises:
        TransferError: the landing folder cannot be listed.
    """
    deliveries = Deliveries(lake, FEEDS[feed_name])
    try:
        sources, ignored = _look(FEEDS[feed_name], landing)
    except OSError as error:
        raise TransferError(
            f"the landing folder {landing} cannot be listed: {error}. Allow the platform's user to read it"
        ) from error
    found = [f"{name}: {reason}" for name, reason in ignored]
    for source in sources:
        try:
            status = source.stat()
            if not deliveries.knows(source) and _is_whole(source, settled_seconds=settled_seconds):
                found.append(f"{source.name}:{status.st_size}:{status.st_mtime_ns}")
        except FileNotFoundError:
            continue
        except OSError as error:
            found.append(f"{source.name}: {error}")
    return tuple(found)


def has_arrivals(feed_name: str, landing: Path, lake: Path) -> bool:
    """Whether there is something to transfer or to complain of; as cheap as `arrivals`."""
    return bool(arrivals(feed_name, landing=landing, lake=lake))


def _take(source: Path, deliveries: Deliveries, settled_seconds: float) -> DeliveredFile | _Left:
    try:
        if deliveries.knows(source):
            return _Left.UNCHANGED
        if not _is_whole(source, settled_seconds=settled_seconds):
            return _Left.WAITING
        return deliveries.take(source) or _Left.UNCHANGED
    except (StillChangingError, FileNotFoundError):
        return _Left.WAITING


def _look(feed: CsvFeed, landing: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """Files of the feed by name, and what only looks like them, with the reason."""
    sources: list[Path] = []
    ignored: list[tuple[str, str]] = []
    for path in sorted(landing.iterdir()) if landing.is_dir() else ():
        reason = why_ignored(path.name, feed)
        if reason is None and feed.file_pattern().fullmatch(path.name):
            reason = _why_unreadable(path)
            if reason is None:
                sources.append(path)
        if reason is not None:
            ignored.append((path.name, reason))
    return sources, ignored


def _why_unreadable(path: Path) -> str | None:
    if not path.is_file():
        return "not a file: put the export itself into the landing folder"
    if not os.access(path, os.R_OK):
        return "not readable: allow the platform's user to read it"
    return None


def _is_whole(source: Path, *, settled_seconds: float) -> bool:
    """Whether nobody seems to be writing the file. What escapes this is seen while it is copied, or comes
    as a correction later."""
    age = time.time() - source.stat().st_mtime
    # A time in the future is another machine's clock and says nothing.
    return not 0 <= age < settled_seconds and not _is_open_for_writing(source)


def _is_open_for_writing(source: Path) -> bool:
    """Whether a process of this machine has the file open to write: the kernel grants no read lease then.

    fcntl(2), F_SETLEASE: only Linux, only local file systems, only on files of our own user. Where it
    cannot tell, False.
    """
    import fcntl
    import signal

    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    with source.open("rb") as stream:
        try:
            # Who opens the file for writing while we hold the lease makes the kernel signal us: not with
            # SIGIO, which ends a process.
            fcntl.fcntl(stream, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(stream, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        fcntl.fcntl(stream, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
