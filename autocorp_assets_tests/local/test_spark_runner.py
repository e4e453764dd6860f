"""However a job's process ends, neither JVM nor scratch folder is left, and the writer lock is free only then."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from autocorp_assets.local.spark_runtime import prepare, spark_conf
from autocorp_assets.settings import PROJECT_FOLDER, Settings

GONE_SECONDS = 20
BUSY_JOB = """
    from pyspark.sql import SparkSession
    spark = SparkSession.builder.appName("busy").getOrCreate()
    open(sys.argv[1], "w").write(str(os.getpid()))
    spark.range(10**13).selectExpr("sum(hash(id))").collect()
"""


@dataclass
class Job:
    """A wrapper, its JVM and where they keep their scratch."""

    wrapper: psutil.Process
    jvm: psutil.Process
    scratch: Path
    lock: Path

    def is_gone(self) -> bool:
        return not _runs(self.wrapper) and not _runs(self.jvm) and not list(self.scratch.iterdir())

    def lock_is_free(self) -> bool:
        with self.lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _script(folder: Path, body: str) -> Path:
    script = folder / "job.py"
    script.write_text("import os, sys\n" + textwrap.dedent(body))
    return script


def _command(script: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "autocorp_assets.local.spark_runner", str(script), *arguments]


def _environment(settings: Settings, scratch: Path) -> dict[str, str]:
    prepare(settings)
    scratch.mkdir()
    return {**os.environ, "TMPDIR": str(scratch), "AUTOCORP_SPARK_CONF": json.dumps(spark_conf(settings))}


def test_a_script_gets_its_arguments_and_its_exit_code_is_ours(tmp_path: Path, settings: Settings) -> None:
    script = _script(tmp_path, "print(__name__, sys.argv[1:]); sys.exit(3)")
    ended = subprocess.run(
        _command(script, "a", "b"),
        env=_environment(settings, tmp_path / "scratch"),
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.returncode) == ("__main__ ['a', 'b']\n", 3)


@pytest.mark.spark
def test_an_unchanged_script_gets_the_configured_session_and_leaves_nothing(tmp_path: Path, settings: Settings) -> None:
    body = """
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.getOrCreate()
        java = spark.sparkContext._jvm.java.lang
        print(spark.conf.get("spark.sql.session.timeZone"), java.Runtime.getRuntime().maxMemory() // 2**20)
    """
    scratch = tmp_path / "scratch with space"
    environment = _environment(settings, scratch)
    conf = json.loads(environment["AUTOCORP_SPARK_CONF"]) | {"spark.driver.memory": "600m"}
    ended = subprocess.run(
        _command(_script(tmp_path, body)),
        env={**environment, "AUTOCORP_SPARK_CONF": json.dumps(conf)},
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    zone, heap = ended.stdout.split()
    assert zone == "UTC"
    assert int(heap) <= 600
    assert "Traceback" not in ended.stderr
    assert _until(lambda: not list(scratch.iterdir()), GONE_SECONDS)


def _start_busy(folder: Path, settings: Settings) -> tuple[Job, subprocess.Popen[bytes]]:
    """A parent that holds the writer lock and runs a job that never ends, as the job runner does."""
    started = folder / "started"
    lock = folder / "lock"
    parent = folder / "parent.py"
    parent.write_text(
        "import fcntl, subprocess, sys\n"
        "lock = open(sys.argv[1], 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "subprocess.run(sys.argv[2:], pass_fds=(lock.fileno(),), stdin=subprocess.DEVNULL)\n"
    )
    environment = _environment(settings, folder / "scratch")
    process = subprocess.Popen(
        [sys.executable, str(parent), str(lock), *_command(_script(folder, BUSY_JOB), str(started))],
        env=environment,
        cwd=PROJECT_FOLDER,
        stderr=(folder / "log").open("wb"),
    )
    assert _until(lambda: started.exists() and started.read_text() != "", 60), (folder / "log").read_text()
    wrapper = psutil.Process(int(started.read_text()))
    (jvm,) = [child for child in wrapper.children() if child.name() == "java"]
    return Job(wrapper=wrapper, jvm=jvm, scratch=folder / "scratch", lock=lock), process


@pytest.mark.spark
@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda job, parent: job.wrapper.kill(), id="kill -9 of the wrapper"),
        pytest.param(lambda job, parent: parent.kill(), id="kill -9 of its parent"),
        pytest.param(lambda job, parent: job.wrapper.terminate(), id="SIGTERM"),
        pytest.param(lambda job, parent: job.wrapper.send_signal(signal.SIGINT), id="SIGINT"),
    ],
)
def test_nothing_is_left_however_it_ends(tmp_path: Path, settings: Settings, end: Callable[..., object]) -> None:
    job, parent = _start_busy(tmp_path, settings)
    assert not job.lock_is_free()
    end(job, parent)
    parent.wait(GONE_SECONDS)
    assert _until(job.lock_is_free, GONE_SECONDS)
    assert not _runs(job.jvm)
    assert _until(job.is_gone, GONE_SECONDS), list(job.scratch.iterdir())
