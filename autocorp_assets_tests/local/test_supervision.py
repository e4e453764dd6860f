"""The guard: whatever happens to the parent, nothing that it started is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autocorp_assets.local.supervision import COMMAND_NOT_FOUND, Guarded
from autocorp_assets.settings import PROJECT_FOLDER

STUBBORN_FAMILY = """
trap '' TERM  # all that follow inherit it
echo $$
sleep 600 &
echo $!
setsid sleep 600 &
echo $!
(setsid sleep 600 & echo $!)  # a daemon: its parent ends, so that parentage does not lead to it
wait
"""
KILLED_PARENT = """
import sys, time
from pathlib import Path
from autocorp_assets.local.supervision import Guarded
log, script = sys.argv[1:]
print(Guarded.start(["sh", "-c", script], name="family", log=Path(log), grace_seconds=0.3).pid, flush=True)
time.sleep(600)
"""


def eventually(condition: Callable[[], bool], *, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def pids_in(log: Path, *, count: int) -> list[int]:
    """The process ids that a test's command has written to its log, once they are all there."""
    assert eventually(lambda: log.exists() and len(log.read_text().split()) >= count)
    return [int(word) for word in log.read_text().split()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "command.log"


def test_a_parent_that_is_killed_leaves_nothing_behind(log: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED_PARENT, str(log), STUBBORN_FAMILY],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_FOLDER,
    )
    assert parent.stdout is not None
    guard = int(parent.stdout.readline())
    family = pids_in(log, count=4)
    assert not any(is_gone(pid) for pid in [guard, *family])

    parent.kill()
    parent.communicate()

    assert eventually(lambda: all(is_gone(pid) for pid in [guard, *family]))


def test_stop_asks_with_the_chosen_signal_and_gives_time_to_end(log: Path) -> None:
    script = """
        import signal, sys, time
        def end(number, frame):
            time.sleep(0.2)
            print("ended by", signal.Signals(number).name, flush=True)
            sys.exit(7)
        signal.signal(signal.SIGINT, end)
        print("ready", flush=True)
        time.sleep(600)
    """
    command = Guarded.start(
        [sys.executable, "-c", textwrap.dedent(script)], name="polite", log=log, stop_signal=signal.SIGINT
    )
    assert eventually(lambda: log.exists() and "ready" in log.read_text())

    assert command.stop() == 7
    assert "ended by SIGINT" in log.read_text()
    assert command.poll() == command.stop() == 7


def test_a_command_that_does_not_listen_is_killed_after_the_grace_period(log: Path) -> None:
    script = "trap '' TERM; echo $$; while true; do sleep 0.05; done"
    with Guarded.start(["sh", "-c", script], name="deaf", log=log, grace_seconds=0.2) as command:
        [pid] = pids_in(log, count=1)
        began = time.monotonic()

    assert command.poll() == 128 + signal.SIGKILL
    assert is_gone(pid)
    assert 0.2 <= time.monotonic() - began < 5


def test_what_a_command_leaves_behind_when_it_ends_is_ended_too(log: Path) -> None:
    with Guarded.start(["sh", "-c", "setsid sleep 600 & echo $!; exit 3"], name="launcher", log=log) as command:
        assert command.wait(10) == 3
    assert all(is_gone(pid) for pid in pids_in(log, count=1))


def test_ctrl_c_in_the_terminal_does_not_reach_the_command(log: Path) -> None:
    with Guarded.start(["sh", "-c", "echo $$; exec sleep 600"], name="sleeper", log=log) as command:
        [pid] = pids_in(log, count=1)
        ours = os.getpgrp(), os.getsid(0)
        assert os.getpgid(command.pid) != ours[0]
        assert os.getpgid(pid) not in {ours[0], os.getpgid(command.pid)}
        assert os.getsid(pid) != ours[1]


def test_a_killed_guard_takes_the_command_along(log: Path) -> None:
    command = Guarded.start(["sh", "-c", "echo $$; exec sleep 600"], name="sleeper", log=log)
    [pid] = pids_in(log, count=1)

    os.kill(command.pid, signal.SIGKILL)

    assert eventually(lambda: is_gone(pid))
    command.stop()


def test_a_command_that_does_not_exist_is_named_in_the_log(log: Path) -> None:
    with Guarded.start(["no-such-command"], name="missing", log=log) as command:
        assert command.wait(10) == COMMAND_NOT_FOUND
    assert "cannot start no-such-command" in log.read_text()


def test_the_guard_loads_nothing_but_the_standard_library() -> None:
    script = "import sys; import autocorp_assets.local.supervision; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True
    ).stdout.split()
    foreign = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names - {"autocorp_assets", "__main__"}
    assert not {name for name in foreign if not name.startswith("_")}
