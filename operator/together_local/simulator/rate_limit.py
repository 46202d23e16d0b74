"""How many requests a project may send.

Why: limits of the management routes are not documented, but a client that polls for
hundreds of resources will meet them; the limit is an assumption that is off.
"""

from __future__ import annotations

from collections import defaultdict, deque

_WINDOW_SECONDS = 60.0


class RateLimit:
    """Counts requests of each project within the last real minute."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = defaultdict(deque)

    def wait(self, project: str, now: float, per_minute: int | None) -> float:
        """Count a request and return the seconds until it would be welcome, 0 for now.

        Args:
            project: Whose request it is.
            now: Real unix seconds.
            per_minute: How many are allowed; None: any number.
        """
        if per_minute is None:
            return 0.0
        seen = self._seen[project]
        while seen and seen[0] <= now - _WINDOW_SECONDS:
            seen.popleft()
        if len(seen) >= per_minute:
            return seen[0] + _WINDOW_SECONDS - now
        seen.append(now)
        return 0.0
