import subprocess
import sys
import threading
import time

from autocorp_assets.resources.writer_lock import writer_lock

HOLD = "import sys; sys.stdin.read()"


def test_a_second_writer_waits_and_is_told_for_whom(tmp_path):
    told: list[str] = []
    order: list[str] = []

    def second() -> None:
        with writer_lock(tmp_path, on_wait=told.append):
            order.append("second")

    with writer_lock(tmp_path, on_wait=told.append):
        waiting = threading.Thread(target=second)
        waiting.start()
        while not told:
            time.sleep(0.01)
        order.append("first")
    waiting.join(timeout=10)

    assert order == ["first", "second"]
    assert len(told) == 1
    assert "waiting for another writer" in told[0]


def test_a_child_that_outlives_its_parents_hold_keeps_others_out_until_it_ends(tmp_path):
    with writer_lock(tmp_path, on_wait=print) as descriptor:
        child = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    told: list[str] = []
    entered = threading.Event()

    def enter() -> None:
        with writer_lock(tmp_path, on_wait=told.append):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    while not told:
        time.sleep(0.01)
    assert not entered.is_set()

    child.kill()
    child.wait()
    waiting.join(timeout=10)

    assert entered.is_set()
