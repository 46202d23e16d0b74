"""The watches of a stage, which can be cut and shown late while everything else is current.

A watch is where an operator's view grows old. It is the one thing here that a fault has to get hold
of after it has begun, so one meddler passes on all of them, always.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator

from tests.chaos.proxy import Answer, Cut, Exchange, Forward


class Watches:
    """A meddler that has every watch in its hand.

    Attributes:
        late: Seconds after which what a watch shows arrives.
    """

    def __init__(self) -> None:
        self.late = 0.0
        self._cuts = 0

    def cut(self) -> None:
        """Break the connection of every watch there is; the next ones are fine."""
        self._cuts += 1

    async def __call__(self, exchange: Exchange, forward: Forward) -> Answer:
        """Pass on an exchange, and hold on to it if it is a watch."""
        answer = await forward(exchange)
        if answer.stream is not None:
            answer.stream = self._held(answer.stream)
        return answer

    async def _held(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        cuts = self._cuts
        waiting: deque[tuple[float, bytes]] = deque()
        async with contextlib.aclosing(pieces):  # type: ignore[type-var]
            # An empty piece comes once in a while, so that time passes here.
            async for piece in pieces:
                if self._cuts != cuts:
                    raise Cut
                if piece:
                    waiting.append((time.monotonic(), piece))
                while waiting and time.monotonic() >= waiting[0][0] + self.late:
                    yield waiting.popleft()[1]
                yield b""
