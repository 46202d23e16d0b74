"""An event loop whose time passes only when nobody has anything to do.

Intervals of minutes take no time, the order of what happens is always the same, and a test can say
exactly when something was sent.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = 1_800_000_000.0
"""The wall clock at the loop's time 0, in unix seconds."""


class StuckError(Exception):
    """Everything waits for something that no clock will bring."""


class _Selector(selectors.SelectSelector):
    """Waits for nothing; tells the loop how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise StuckError
            self.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on which time is free."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual.now


def virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run something on a loop of its own, to its end.

    Args:
        work: What to run.

    Raises:
        StuckError: It waits for something that will never come.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def steady() -> float:
    """The monotonic clock of the running loop."""
    return asyncio.get_running_loop().time()


def wall() -> float:
    """The wall clock of the running loop."""
    return EPOCH + steady()
