"""One at a time: a lock that the kernel releases when its holders are gone."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.2


class FileLock:
    """An exclusive lock on a file, held until released and by every heir of its descriptor.

    Args:
        path: The file to lock; its content names the holder's pid.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file; a process that inherits it holds the lock too."""
        if self._descriptor is None:
            raise ValueError(f"{self._path} is not locked")
        return self._descriptor

    @property
    def holder(self) -> str:
        """The pid that the file names, for messages."""
        return self._path.read_text().strip() or "unknown"

    def acquire(
        self, seconds: float | None = None, on_wait: Callable[[str], None] | None = None
    ) -> bool:
        """Take the lock.

        Args:
            seconds: How long to wait for it; None for as long as it takes.
            on_wait: Called once with the holder's pid when there is a wait.

        Returns:
            Whether the lock is ours.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = None if seconds is None else time.monotonic() + seconds
        told = False
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if deadline is not None and time.monotonic() > deadline:
                        os.close(descriptor)
                        return False
                if on_wait is not None and not told:
                    on_wait(self.holder)
                    told = True
                time.sleep(_POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give up this process's hold."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
