"""Child processes that never outlive their parent, even when the parent gets `kill -9`.

Between parent and command stands a small guard process, this module run as a script. Its standard
input is a pipe whose other end only the parent holds: however the parent ends, the kernel closes
that end, and the guard stops the command and everything that the command started.

Each guard pays for this module's imports: standard library only, psutil when it is time to stop.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    import psutil

_STDIN = 0
_PARENT_POLL_SECONDS = 1.0
_STOP_POLL_SECONDS = 0.02
_KILL_SECONDS = 5.0
"""How long to wait for killed processes to go; only one stuck in the kernel needs it."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
COMMAND_NOT_FOUND = 127
"""Exit code of the guard when the command cannot be started; the log says why."""


class Guarded:
    """A running command that ends with this process at the latest."""

    def __init__(self, guard: subprocess.Popen[bytes], *, name: str, log: Path, grace_seconds: float) -> None:
        self._guard = guard
        self._grace_seconds = grace_seconds
        self.name = name
        self.log = log

    @classmethod
    def start(
        cls,
        command: Sequence[str | Path],
        *,
        name: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        uid: int | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_seconds: float = 10,
    ) -> Self:
        """Start `command` under a guard, in a session of its own, so that Ctrl-C reaches only us.

        Args:
            name: For messages.
            log: File to which the command's output is appended.
            env: For the guard and the command; ours unless given.
            uid: User and group that the command runs as; needs root.
            stop_signal: Sent to the command's process group to end it politely.
            grace_seconds: Time between that and SIGKILL for whatever is left.

        Raises:
            OSError: The log cannot be written.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        options = [f"--signal={int(stop_signal)}", f"--grace={grace_seconds}"]
        if uid is not None:
            options.append(f"--uid={uid}")
        with log.open("ab") as output:
            guard = subprocess.Popen(
                # By path and with -P: neither our working directory nor this folder is searched for modules.
                [sys.executable, "-P", __file__, *options, "--", *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=env,
                cwd=cwd,
            )
        return cls(guard, name=name, log=log, grace_seconds=grace_seconds)

    @property
    def pid(self) -> int:
        """Process id of the guard; the command is its child."""
        return self._guard.pid

    def poll(self) -> int | None:
        """Exit code of the command (128 + signal when it was killed), None while it runs."""
        return self._guard.poll()

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Exit code of the command once it has ended.

        Raises:
            subprocess.TimeoutExpired: It still runs after `timeout_seconds`.
        """
        return self._guard.wait(timeout_seconds)

    def stop(self) -> int:
        """End the command and all that it started; returns its exit code. May be called again."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        try:
            return self._guard.wait(self._grace_seconds + 2 * _KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            return self._guard.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def run_guard(
    command: Sequence[str], *, stop_signal: signal.Signals, grace_seconds: float, uid: int | None = None
) -> int:
    """Run `command` until it ends, standard input reaches its end, or a signal asks to stop.

    Returns its exit code; nothing that it started is left then.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wakeup = _wake_on(signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    family = _Family(command, stop_signal=stop_signal, uid=uid)
    parent = os.getppid()
    # A fork of the parent that never called exec may keep the pipe open: hence also the look at the parent.
    while family.reap() and os.getppid() == parent and not _asked_to_stop(wakeup):
        pass
    family.stop(grace_seconds=grace_seconds)
    return family.exit_code


class _Family:
    """The command and every process below it, also those that made a session of their own."""

    def __init__(self, command: Sequence[str], *, stop_signal: signal.Signals, uid: int | None) -> None:
        self._stop_signal = stop_signal
        self._command = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            process_group=0,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            # Should the guard itself be killed, the kernel asks the command to stop.
            preexec_fn=_bound_prctl(_PR_SET_PDEATHSIG, stop_signal),  # noqa: PLW1509 - a guard has one thread
        )
        self._known: set[psutil.Process] = set()

    @property
    def exit_code(self) -> int:
        code = self._command.returncode
        if code is None:
            return 128 + signal.SIGKILL
        return 128 - code if code < 0 else code

    def reap(self) -> bool:
        """Collect what has ended, adopted orphans included; whether the command still runs."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
                if ended[0] == self._command.pid:
                    self._command.returncode = os.waitstatus_to_exitcode(ended[1])
        return self._command.returncode is None

    def stop(self, *, grace_seconds: float) -> None:
        """Ask the group, then those that the command left behind, and kill whoever remains."""
        deadline = time.monotonic() + grace_seconds
        self._living()  # who belongs to us is harder to tell once parents have ended
        if self._command.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._command.pid, self._stop_signal)
            self._wait(lambda: not self.reap(), deadline=deadline)
        for process in self._living():
            _send(process, signal.SIGTERM)
        self._wait(lambda: not self._living(), deadline=deadline)
        self._wait(self._all_killed, deadline=time.monotonic() + _KILL_SECONDS)

    def _living(self) -> list[psutil.Process]:
        import psutil

        self.reap()
        self._known.update(psutil.Process().children(recursive=True))
        return [process for process in self._known if _lives(process)]

    def _all_killed(self) -> bool:
        living = self._living()
        for process in living:
            _send(process, signal.SIGKILL)
        return not living

    @staticmethod
    def _wait(condition: Callable[[], bool], *, deadline: float) -> None:
        while not condition() and time.monotonic() < deadline:
            time.sleep(_STOP_POLL_SECONDS)


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _wake_on(*numbers: signal.Signals) -> int:
    """A descriptor that tells of these signals, one byte each."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    return reader


def _asked_to_stop(wakeup: int) -> bool:
    """Wait for a moment or until something happens; whether the parent is gone or a signal says stop."""
    ready, _, _ = select.select([_STDIN, wakeup], [], [], _PARENT_POLL_SECONDS)
    if _STDIN in ready and not os.read(_STDIN, 4096):
        return True
    return wakeup in ready and any(number != signal.SIGCHLD for number in os.read(wakeup, 4096))


def _prctl(option: int, value: int) -> None:
    """Linux's prctl(2); elsewhere nothing, and what is found by parentage has to do."""
    _bound_prctl(option, value)()


def _bound_prctl(option: int, value: int) -> Callable[[], None]:
    """The call with everything looked up before: a forked child should not import."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(option, value)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the guard process."""
    parser = argparse.ArgumentParser(
        prog="python -m autocorp_assets.local.supervision",
        description="Run a command that ends, with all that it started, when standard input does.",
    )
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM), help="polite request to stop")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds from the request to SIGKILL")
    parser.add_argument("--uid", type=int, help="user and group id for the command; needs root")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    try:
        code = run_guard(
            options.command,
            stop_signal=signal.Signals(options.signal),
            grace_seconds=options.grace,
            uid=options.uid,
        )
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"cannot start {options.command[0]}: {error}\n")
        code = COMMAND_NOT_FOUND
    sys.exit(code)


if __name__ == "__main__":
    main()
