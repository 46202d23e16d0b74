"""Answers that many resources need and that seldom change: read once, used by all.

A thousand resources that are refused at the same moment must not ask for the price list a thousand
times.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

FRESH: Final = 6 * 3600.0
"""Seconds for which what Together offers is used before it is read again."""


class SharedReads(Generic[K, V]):
    """Remembers good answers for a while, and lets concurrent callers wait for one read.

    Args:
        read: Makes an answer.
        good: Whether an answer is worth remembering; a failure is told to those who wait for it
            and forgotten.
        seconds: How long a good answer is used.
        most: Answers kept at once; the oldest goes first.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        read: Callable[[K], Awaitable[V]],
        *,
        good: Callable[[V], bool],
        seconds: float,
        most: int = 256,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._good = good
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._kept: dict[K, tuple[float, V]] = {}
        self._under_way: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """Get an answer, read now or before.

        Args:
            key: What is asked.
        """
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < self._seconds:
            return kept[1]
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch(key))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # One caller that is cancelled must not take the answer from the others.
        return await asyncio.shield(task)

    def forget(self, key: K) -> None:
        """Have the next caller read again.

        Args:
            key: What is asked.
        """
        self._kept.pop(key, None)

    async def _fetch(self, key: K) -> V:
        begun = self._clock()
        value = await self._read(key)
        if self._good(value):
            self._kept.pop(key, None)
            self._kept[key] = (begun, value)
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return value
