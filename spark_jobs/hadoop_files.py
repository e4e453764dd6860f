"""Small files and listings over Hadoop's file system, so that a path may be local, S3 or S3A."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

_PART_BYTES = 1 << 30
OBJECT_STORES = ("s3", "s3a", "s3n")
"""Schemes of file systems in which an object appears whole when its stream is closed, and a rename is a copy."""


class HadoopFiles:
    """Reads and writes of the driver: headers, audit lines, never rows of a table."""

    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark.sparkContext._jvm
        self._configuration: Any = spark.sparkContext._jsc.hadoopConfiguration()

    def exists(self, path: str) -> bool:
        return self._file_system(path).exists(self._path(path))

    def names(self, folder: str) -> list[str]:
        """Of what lies directly in a folder; none when there is no such folder."""
        file_system = self._file_system(folder)
        if not file_system.exists(self._path(folder)):
            return []
        return [str(status.getPath().getName()) for status in file_system.listStatus(self._path(folder))]

    def text(self, path: str) -> str | None:
        """A small file; None when its checksum says that it was not written to its end, or it is no UTF-8."""
        from py4j.protocol import Py4JJavaError

        stream = self._file_system(path).open(self._path(path))
        try:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream)).decode()
        except UnicodeDecodeError:
            return None
        except Py4JJavaError as error:
            if "ChecksumException" in str(error.java_exception):
                return None
            raise
        finally:
            stream.close()

    def delete(self, path: str) -> None:
        """A file, or a folder with all that is in it."""
        self._file_system(path).delete(self._path(path), True)

    def move(self, folder: str, to: str) -> None:
        """A folder with all that is in it. On an object store it takes a copy of each object.

        Raises:
            OSError: it was not moved, or not as a whole.
        """
        file_system = self._file_system(folder)
        file_system.mkdirs(self._path(to).getParent())
        if not file_system.rename(self._path(folder), self._path(to)):
            message = f"cannot move {folder} to {to}"
            raise OSError(message)

    def head(self, path: str, size: int) -> bytes:
        """Up to `size` bytes from the start of a file."""
        stream = self._file_system(path).open(self._path(path))
        try:
            bounded = self._jvm.org.apache.commons.io.input.BoundedInputStream(stream, size)
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(bounded))
        finally:
            stream.close()

    def is_utf8(self, path: str) -> bool:
        """Whether the whole file decodes. It is streamed once through the driver: Spark's own reader
        replaces what it cannot decode and says nothing."""
        reader = self._reader(path, "REPORT")
        try:
            return self._decodes(reader, self._jvm.org.apache.commons.io.output.NullWriter())
        finally:
            reader.close()

    def has_nul(self, path: str) -> bool:
        """Whether a NUL byte is anywhere in the file; as is_utf8, one stream through the driver.

        Hadoop's reader of lines looks for the end of the first one, where NUL ends a line, and one more
        NUL follows the file. It counts in 32 bits: larger files are looked at in parts.
        """
        remaining = self._file_system(path).getFileStatus(self._path(path)).getLen()
        stream = self._file_system(path).open(self._path(path))
        io = self._jvm.java.io
        try:
            while remaining > 0:
                part = self._jvm.org.apache.commons.io.input.BoundedInputStream(stream, _PART_BYTES)
                part.setPropagateClose(False)
                ended = io.SequenceInputStream(part, io.ByteArrayInputStream(b"\x00"))
                lines = self._jvm.org.apache.hadoop.util.LineReader(ended, b"\x00")
                before = lines.readLine(self._jvm.org.apache.hadoop.io.Text(), 0) - 1
                if before < min(remaining, _PART_BYTES):
                    return True
                remaining -= before
            return False
        finally:
            stream.close()

    def first_line_with(self, path: str, pattern: str) -> int:
        """Number of the first line that holds the (Java) pattern, from 1; what does not decode reads as U+FFFD."""
        reader = self._reader(path, "REPLACE")
        try:
            found = self._jvm.java.util.regex.Pattern.compile(pattern).asPredicate()
            return 1 + int(reader.lines().takeWhile(found.negate()).count())
        finally:
            reader.close()

    def _reader(self, path: str, on_malformed: str) -> Any:
        charsets = self._jvm.java.nio.charset
        action = getattr(charsets.CodingErrorAction, on_malformed)
        decoder = charsets.StandardCharsets.UTF_8.newDecoder().onMalformedInput(action).onUnmappableCharacter(action)
        stream = self._file_system(path).open(self._path(path))
        return self._jvm.java.io.BufferedReader(self._jvm.java.io.InputStreamReader(stream, decoder))

    def _decodes(self, reader: Any, nowhere: Any) -> bool:
        from py4j.protocol import Py4JJavaError

        try:
            self._jvm.org.apache.commons.io.IOUtils.copyLarge(reader, nowhere)
        except Py4JJavaError as error:
            if "CharacterCodingException" in str(error.java_exception) or "MalformedInput" in str(error.java_exception):
                return False
            raise
        return True

    def write_text(self, path: str, text: str) -> None:
        """Replaces a file as a whole, durably: readers see the old one, for a moment none, or the new one."""
        file_system = self._file_system(path)
        if str(file_system.getScheme()) in OBJECT_STORES:
            self._put(file_system, path, text)
            return
        staging = f"{path.rsplit('/', 1)[0]}/_{path.rsplit('/', 1)[1]}"
        self._put(file_system, staging, text)
        file_system.delete(self._path(path), False)
        if not file_system.rename(self._path(staging), self._path(path)):
            message = f"cannot rename {staging} to {path}"
            raise OSError(message)
        if file_system.getScheme() == "file":
            _flush(Path(self._path(path).toUri().getPath()))

    def _put(self, file_system: Any, path: str, text: str) -> None:
        stream = file_system.create(self._path(path), True)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _file_system(self, path: str) -> Any:
        return self._path(path).getFileSystem(self._configuration)


def _flush(path: Path) -> None:
    """Make a local file and its name survive a power cut: `hsync` of Hadoop's local file system does not."""
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
