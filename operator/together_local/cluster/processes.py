"""Identify a process for certain, and end it.

A pid that was written down yesterday may belong to somebody else's editor today.
Every process here is known by its pid and the time it started, so that a
recycled pid is never signalled. The supervisor uses this module too: only the
standard library, please.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_POLL_SECONDS = 0.02


@cache
def _boot() -> str:
    """The boot that start times count from (a reboot makes them start anew)."""
    path = _PROC / "sys/kernel/random/boot_id"
    return path.read_text().strip() if path.exists() else ""


def _born_linux(pid: int) -> str | None:
    try:
        # The command's name, in brackets, may itself hold spaces and brackets.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, threads, start_ticks = fields[0], int(fields[17]), fields[19]
    # The first thread can be gone before the others, which still hold the files and ports of all.
    gone = state == "X" or (state == "Z" and threads <= 1)
    return None if gone else f"{_boot()}/{start_ticks}"


def _born_elsewhere(pid: int) -> str | None:
    found = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )
    state, _, started = found.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def born(pid: int) -> str | None:
    """When a process started, in a form to compare only.

    Args:
        pid: The process id.

    Returns:
        None when there is no such process, or only its unreaped remains.
    """
    return _born_linux(pid) if sys.platform == "linux" else _born_elsewhere(pid)


@dataclass(frozen=True)
class Process:
    """One process, not to be mistaken for a later one of the same pid.

    Attributes:
        pid: The process id.
        born: What `born` said when the process was known to be ours.
    """

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """Identify a running process.

        Raises:
            ProcessLookupError: There is none of that pid.
        """
        started = born(pid)
        if started is None:
            raise ProcessLookupError(f"no process {pid}")
        return cls(pid, started)

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (a paused one does)."""
        return born(self.pid) == self.born

    def signal(self, number: signal.Signals) -> None:
        """Signal the process, and its group when it leads one; nothing when it is gone."""
        if not self.alive:
            return
        try:
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process.

        Returns:
            Whether it ended within the time.
        """
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def stop(self, grace: float = 10) -> bool:
        """End the process: SIGTERM, then SIGKILL.

        Args:
            grace: Seconds between the two.

        Returns:
            Whether SIGTERM was enough.
        """
        self.signal(signal.SIGTERM)
        # A paused process would keep SIGTERM waiting for ever.
        self.signal(signal.SIGCONT)
        if self.wait(grace):
            return True
        self.signal(signal.SIGKILL)
        self.wait(grace)
        return False


def recorded(path: Path) -> dict[str, Process]:
    """Read which processes a supervisor wrote down, oldest first.

    Args:
        path: The file, which need not exist.
    """
    if not path.exists():
        return {}
    return {name: Process(**facts) for name, facts in json.loads(path.read_text()).items()}


def stop_recorded(path: Path, grace: float = 10) -> list[str]:
    """End the processes that a supervisor wrote down, the youngest first.

    Args:
        path: The file, which need not exist and is removed.
        grace: Seconds between SIGTERM and SIGKILL for each.

    Returns:
        The names of those that still ran.
    """
    running = {name: process for name, process in recorded(path).items() if process.alive}
    for process in reversed(running.values()):
        process.stop(grace)
    path.unlink(missing_ok=True)
    return list(running)
