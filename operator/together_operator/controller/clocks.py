"""The clocks that decisions are made on, so that a test can hand them out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)


def _boottime() -> Callable[[], float]:
    """A monotonic clock that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if clock is None:
        log.warning(
            "This system has no CLOCK_BOOTTIME; the monotonic clock stands still while it sleeps,"
            " which is fine for a demo and not for paid endpoints"
        )
        return time.monotonic
    return lambda: time.clock_gettime(clock)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The two clocks.

    Attributes:
        steady: Seconds that never jump and count while the machine sleeps.
        wall: Unix seconds, for the times that people read.
    """

    steady: Callable[[], float]
    wall: Callable[[], float] = time.time

    @classmethod
    def real(cls) -> Clocks:
        """The clocks of this machine."""
        return cls(_boottime())
