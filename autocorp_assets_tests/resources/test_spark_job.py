import signal
import subprocess
import sys
import time

import psutil
import pytest

from autocorp_assets.resources import spark_job
from autocorp_assets.resources.spark_job import end_process_group, how_it_ended

STUBBORN_FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_cancelling_ends_the_whole_process_group_even_one_that_does_not_listen(monkeypatch):
    monkeypatch.setattr(spark_job, "STOP_SECONDS", 0.2)
    parent = subprocess.Popen([sys.executable, "-c", STUBBORN_FAMILY], stdout=subprocess.PIPE, start_new_session=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())

    end_process_group(parent)

    assert parent.returncode == -signal.SIGKILL
    # SIGKILL is sent to the group at once, and the kernel takes a moment with each member.
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)


@pytest.mark.parametrize(("code", "said"), [(1, "exit code 1"), (-9, "killed by SIGKILL"), (137, "killed by SIGKILL")])
def test_how_a_job_ended_is_told_in_words(code, said):
    assert said in how_it_ended(code)
