"""Show what is being built or waited for.

A cold build takes minutes; silence for that long reads as a hang. A terminal
gets one line whose seconds tick, a log file gets a plain line now and then.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from rich.console import Console

Update = Callable[[str], None]


class Progress(Protocol):
    """Where to tell a person what is going on."""

    def say(self, text: str) -> None:
        """Print one line."""

    def task(self, text: str) -> AbstractContextManager[Update]:
        """Show `text` as under way until the context ends.

        The context's value takes a detail to show beside it, as often as there is one.
        """


def duration(seconds: float) -> str:
    """Say a time span as a person would.

    Args:
        seconds: The span in seconds.
    """
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s"


class Quiet:
    """Progress for a caller who shows his own."""

    def say(self, text: str) -> None:
        """Print nothing."""

    @contextmanager
    def task(self, text: str) -> Iterator[Update]:
        """Show nothing."""
        yield lambda _detail: None


class ConsoleProgress:
    """Progress on a terminal, or as plain lines elsewhere.

    Args:
        file: Where to write; standard error by default, so that standard output
            stays usable by `eval`.
        interval: Seconds between two plain lines about the same task.
    """

    def __init__(self, file: TextIO | None = None, *, interval: float = 15) -> None:
        self._console = Console(file=file or sys.stderr, highlight=False, soft_wrap=True)
        self._interval = interval

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False)

    @contextmanager
    def task(self, text: str) -> Iterator[Update]:
        """Show `text` with its elapsed time until the context ends."""
        started = time.monotonic()
        detail = ""
        over = threading.Event()

        def update(now: str) -> None:
            nonlocal detail
            detail = now

        def line() -> str:
            parts = [f"{text}: {duration(time.monotonic() - started)}", detail]
            return ", ".join(part for part in parts if part)

        def tick() -> None:
            if self._console.is_terminal:
                with self._console.status("") as status:
                    while not over.wait(0.2):
                        status.update(line())
                return
            while not over.wait(self._interval):
                self.say(f"  {line()}")

        if not self._console.is_terminal:
            self.say(f"{text} …")
        ticker = threading.Thread(target=tick, name="progress", daemon=True)
        ticker.start()
        try:
            yield update
        except BaseException:
            over.set()
            ticker.join()
            raise
        over.set()
        ticker.join()
        self.say(f"{text}: done in {duration(time.monotonic() - started)}")
