"""What running replicas cost.

Why: a test judges the operator by the bill. Both API generations bill per minute
and per running replica by hardware, and nothing else (Together's pricing page and
dedicated endpoint FAQ), so one meter serves both.
"""

from __future__ import annotations

import math
from enum import StrEnum


class MinuteRounding(StrEnum):
    """How a running period becomes minutes; the API does not say."""

    UP = "up"
    DOWN = "down"
    EXACT = "exact"


class Meter:
    """Counts the minutes of one unit's replicas.

    Args:
        cents_per_minute: Price of one running replica.
    """

    def __init__(self, cents_per_minute: float) -> None:
        self.cents_per_minute = cents_per_minute
        self._running: list[float] = []
        self._periods: list[float] = []

    @property
    def replicas(self) -> int:
        """How many replicas are billed at this moment."""
        return len(self._running)

    def run(self, replicas: int, now: float) -> None:
        """Bill ``replicas`` from ``now`` (simulated unix seconds) on.

        Replicas that are no longer there end their running period; the youngest go first.
        """
        while len(self._running) > replicas:
            self._periods.append(now - self._running.pop())
        while len(self._running) < replicas:
            self._running.append(now)

    def minutes(self, now: float, rounding: MinuteRounding) -> float:
        """Return the billed replica-minutes up to ``now``, each period rounded."""
        open_periods = (now - since for since in self._running)
        return sum(_minutes(seconds, rounding) for seconds in (*self._periods, *open_periods))

    def cents(self, now: float, rounding: MinuteRounding) -> float:
        """Return what was billed up to ``now``, in US cents."""
        return round(self.minutes(now, rounding) * self.cents_per_minute, 4)


def _minutes(seconds: float, rounding: MinuteRounding) -> float:
    # Unix seconds as floats carry noise below a microsecond, which must not cost a minute.
    minutes = round(seconds, 3) / 60
    if rounding is MinuteRounding.UP:
        return math.ceil(minutes)
    if rounding is MinuteRounding.DOWN:
        return math.floor(minutes)
    return minutes
