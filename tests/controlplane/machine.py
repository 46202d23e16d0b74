"""Look at the machine as a suspicious person would: what still runs, and what was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from together_local.cluster.processes import Process


def processes_about(folder: Path) -> list[str]:
    """All running processes (not zombies) that name a folder in their command line."""
    listing = subprocess.run(
        ["ps", "-eww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True
    )
    found = []
    for line in listing.stdout.splitlines():
        pid, state, command = line.split(maxsplit=2)
        if int(pid) != os.getpid() and not state.startswith("Z") and str(folder) in command:
            found.append(f"{pid} {command}")
    return found


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for a condition, and fail by name when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def nothing_left(folder: Path, seconds: float = 60) -> None:
    """Wait until no process names a folder any more."""
    deadline = time.monotonic() + seconds
    while left := processes_about(folder):
        assert time.monotonic() < deadline, "still running:\n" + "\n".join(left)
        time.sleep(0.05)


class Background:
    """A Python program in a session of its own, killed at the end of its `with` block.

    Args:
        argv: Its arguments after the interpreter.
        log: Where its output goes.
        env: Its environment; ours by default.
    """

    def __init__(self, argv: Sequence[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, *argv],
                stdout=output,
                stderr=output,
                env=env,
                start_new_session=True,
            )
        self.process = Process.of(self.popen.pid)

    @property
    def said(self) -> str:
        """All that it printed so far."""
        return self.log.read_text()

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to its foreground group, as a terminal does, and wait for its end."""
        os.killpg(self.popen.pid, number)
        return self.popen.wait(timeout=60)

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
