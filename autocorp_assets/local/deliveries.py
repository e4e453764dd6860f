"""The CSV deliveries of one feed in raw, as the transfer writes them.

A delivery is visible once its receipt states the size that it has (docs/architecture.md), and files are
only ever renamed into place after verification. Hence the order of the steps: keep replaced content
aside, remove its receipt, rename the copy, write the receipt. What a kill leaves undone, the next
transfer does again with the same result.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from autocorp_assets.contracts.model import CsvFeed
from autocorp_assets.contracts.raw_format import RAW_CSV, SUPERSEDED_DELIVERIES, TRANSFER_RECEIPTS, feed_prefix
from autocorp_assets.local.durable import fsync, make_folder

STAGING = f"{RAW_CSV}/_staging"
CHUNK_BYTES = 1 << 20


class StillChangingError(Exception):
    """The source changed while it was copied: it was not whole."""


@dataclass(frozen=True, kw_only=True)
class DeliveredFile:
    """A file that is now a delivery."""

    name: str
    bytes: int
    sha256: str
    replaced: str | None
    """sha256 of other content that it had before, which is kept aside."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was verified of a delivery."""

    size: int
    sha256: str
    transferred_at: str
    source: str
    source_mtime_ns: int | None = None
    """Modification time of the landing file, so that an unchanged one need not be read; None: unknown."""


class Deliveries:
    """Raw files and receipts of one feed."""

    def __init__(self, lake: Path, feed: CsvFeed) -> None:
        self._feed = feed
        self._folder = lake / feed_prefix(feed.name)
        self._receipts = lake / TRANSFER_RECEIPTS / feed.name
        self._superseded = lake / SUPERSEDED_DELIVERIES / feed.name
        self._staging = lake / STAGING / feed.name

    @contextmanager
    def alone(self) -> Generator[Self]:
        """Inside, no other process writes this feed; waits for one that does. Leftovers of a killed one go."""
        for folder in (self._folder, self._receipts, self._superseded, self._staging):
            make_folder(folder)
        with self._staging.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in self._staging.iterdir():
                leftover.unlink()
            yield self

    def knows(self, source: Path) -> bool:
        """Whether the delivery is whole and was made of this landing file as it is: by size and time."""
        receipt = self._receipt(source.name)
        status = source.stat()
        return (
            receipt is not None
            and (receipt.size, receipt.source_mtime_ns) == (status.st_size, status.st_mtime_ns)
            and self._has_size(source.name, receipt.size)
        )

    def take(self, source: Path) -> DeliveredFile | None:
        """Make the landing file's content the delivery of its name; None when it was that already.

        Raises:
            StillChangingError: the file changed while it was copied; raw is as before.
            OSError: cannot read, cannot write, or the copy does not read back as it was written.
        """
        name, target = source.name, self._folder / source.name
        copy = self._staging / name
        digest, status = _copy(source, copy)
        receipt = Receipt(
            size=status.st_size,
            sha256=digest,
            transferred_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            source=name,
            source_mtime_ns=status.st_mtime_ns,
        )
        old = self._receipt(name)
        if old is not None and old.sha256 == digest and self._has_size(name, old.size):
            copy.unlink()
            self._write_receipt(replace(old, source_mtime_ns=status.st_mtime_ns))
            return None
        replaced = self._keep_aside(target, unless=digest) if self._is_verified(name, old) else None
        (self._receipts / f"{name}.json").unlink(missing_ok=True)
        fsync(self._receipts)
        copy.replace(target)
        fsync(self._folder)
        self._write_receipt(receipt)
        return DeliveredFile(name=name, bytes=status.st_size, sha256=digest, replaced=replaced)

    def restore_receipts(self, *, except_for: Collection[str]) -> None:
        """Finish what was killed between a file's rename and its receipt, if its source has gone since.

        `except_for`: names in the landing folder, of which the transfer makes sure itself.
        """
        for path in self._folder.iterdir():
            is_delivery = self._feed.file_pattern().fullmatch(path.name) is not None
            if is_delivery and path.name not in except_for and self._receipt(path.name) is None:
                self._write_receipt(
                    Receipt(
                        size=path.stat().st_size,
                        sha256=_digest(path),
                        transferred_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                        source=path.name,
                    )
                )

    def _has_size(self, name: str, size: int) -> bool:
        target = self._folder / name
        return target.is_file() and target.stat().st_size == size

    def _receipt(self, name: str) -> Receipt | None:
        """None when there is none that can be read: the delivery counts as not made."""
        try:
            return Receipt(**json.loads((self._receipts / f"{name}.json").read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _write_receipt(self, receipt: Receipt) -> None:
        path = self._receipts / f"{receipt.source}.json"
        part = path.with_name(f"_{path.name}.part")
        with part.open("w", encoding="utf-8") as stream:
            json.dump(asdict(receipt), stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        fsync(self._receipts)

    def _is_verified(self, name: str, receipt: Receipt | None) -> bool:
        """Whether what has the delivery's name is content that was delivered.

        Without a receipt it is: a transfer was killed before it wrote one. With another size it was damaged since.
        """
        return (self._folder / name).is_file() if receipt is None else self._has_size(name, receipt.size)

    def _keep_aside(self, target: Path, *, unless: str) -> str | None:
        """Give the delivery's present content a second, lasting name; returns its sha256, None if it is `unless`."""
        digest = _digest(target)
        if digest == unless:
            return None
        aside = self._superseded / f"{digest}-{target.name}"
        if not aside.exists():
            part = self._staging / aside.name
            try:
                os.link(target, part)
            except OSError:  # a file system without hard links
                shutil.copyfile(target, part)
                fsync(part)
            part.replace(aside)
            fsync(self._superseded)
        return digest


def _copy(source: Path, copy: Path) -> tuple[str, os.stat_result]:
    """Copy durably and read the copy back; returns the content's sha256 and the source's state."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, copy.open("wb") as writer:
        before = os.fstat(reader.fileno())
        while chunk := reader.read(CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
        _forget_cached(writer.fileno())
        if not _same(before, os.fstat(reader.fileno())) or not _same(before, source.stat()):
            raise StillChangingError(source.name)
    if copy.stat().st_size != before.st_size or _digest(copy) != digest.hexdigest():
        raise OSError(f"the copy {copy} does not read back as it was written: check the disk")
    return digest.hexdigest(), before


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_ino, one.st_size, one.st_mtime_ns) == (other.st_ino, other.st_size, other.st_mtime_ns)


def _forget_cached(descriptor: int) -> None:
    """Have the verification read the disk, not the memory that was just written; where the system can."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
