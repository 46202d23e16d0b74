"""How often a read is repeated before its caller hears of the trouble."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with jitter, bounded in number and in time.

    Attributes:
        attempts: Requests at most, the first one included.
        first: Seconds before the second request; doubled each time.
        budget: Seconds after the first request in which another may begin. A longer wait is the
            caller's: it has other work to do meanwhile.
    """

    attempts: int = 4
    first: float = 0.25
    budget: float = 10.0

    def delay(self, sent: int, elapsed: float, retry_after: float | None) -> float | None:
        """Tell how long to wait before the next request.

        Args:
            sent: Requests so far.
            elapsed: Seconds since the first of them began.
            retry_after: Seconds that the server asked to wait, if it did.

        Returns:
            Seconds, or `None` to give up.
        """
        if sent >= self.attempts:
            return None
        wait = self.first * 2 ** (sent - 1) * random.uniform(0.5, 1.0)
        if retry_after is not None:
            wait = max(wait, retry_after)
        return wait if elapsed + wait < self.budget else None


DEFAULT_BACKOFF: Final = Backoff()
