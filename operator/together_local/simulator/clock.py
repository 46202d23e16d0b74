"""Simulated time, and what happens in it.

Why: an endpoint's life takes minutes to hours, and a test or a demo has seconds.
The clock runs faster by a factor (or stands still) and can be moved forward; the
timeline replays, in order and at their exact simulated moments, everything that
fell due in between, so that nothing depends on how often somebody looks.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime


class Clock:
    """Two clocks: the wall's, and the simulated one that starts beside it.

    Args:
        speed: Simulated seconds per real second. 0 makes it stand still, so that
            only :meth:`advance` moves it.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._origin = time.time()
        self._started = time.monotonic()
        self._advanced = 0.0

    @staticmethod
    def wall() -> float:
        """Return the real time in unix seconds."""
        return time.time()

    def now(self) -> float:
        """Return the simulated time in unix seconds."""
        passed = (time.monotonic() - self._started) * self.speed
        return self._origin + passed + self._advanced

    def advance(self, seconds: float) -> None:
        """Move the simulated time forward by ``seconds`` simulated seconds."""
        self._advanced += seconds


@dataclass(order=True)
class Timer:
    """Something that will happen at a simulated moment, unless cancelled."""

    due: float
    order: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Make it not happen; harmless when it already has."""
        self.cancelled = True


class Timeline:
    """The queue of what will happen in simulated time.

    Nothing runs in the background: whoever looks at the world settles it first.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._moment = clock.now()
        self._queue: list[Timer] = []
        self._order = itertools.count()

    @property
    def now(self) -> float:
        """The simulated moment being lived: a timer's own due time while it runs."""
        return self._moment

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Let ``action`` happen ``seconds`` simulated seconds after this moment."""
        timer = Timer(self._moment + max(0.0, seconds), next(self._order), action)
        heapq.heappush(self._queue, timer)
        return timer

    def settle(self) -> None:
        """Let everything happen that has fallen due, each at its own moment."""
        until = self.clock.now()
        while self._queue and self._queue[0].due <= until:
            timer = heapq.heappop(self._queue)
            if not timer.cancelled:
                self._moment = max(self._moment, timer.due)
                timer.action()
        self._moment = max(self._moment, until)


def rfc3339(moment: float) -> str:
    """Write unix seconds the way the API does: UTC, milliseconds, ``Z``."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def http_date(moment: float) -> str:
    """Write unix seconds as an HTTP ``Date`` header."""
    return format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)
