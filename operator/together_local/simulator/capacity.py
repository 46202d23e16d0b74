"""How much hardware there is.

Why: most of what goes wrong in an endpoint's life is that no GPU is free. Replicas
of each hardware are taken, given back and queued for here, in the order of asking,
for both API generations.
"""

from __future__ import annotations

from collections.abc import Callable


class Capacity:
    """Replicas that can run at once, per hardware id; without an entry: as many as asked."""

    def __init__(self) -> None:
        self._totals: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self._queues: dict[str, dict[str, Callable[[], None]]] = {}

    def totals(self) -> dict[str, int]:
        """Return the limits that are set."""
        return dict(self._totals)

    def set_total(self, hardware: str, replicas: int | None) -> None:
        """Limit ``hardware`` to ``replicas`` at once; None lifts the limit.

        What already runs keeps running, even beyond the new limit.
        """
        if replicas is None:
            self._totals.pop(hardware, None)
        else:
            self._totals[hardware] = replicas
        self._wake(hardware)

    def free(self, hardware: str) -> int | None:
        """Return how many more replicas can run, or None without a limit."""
        total = self._totals.get(hardware)
        return None if total is None else max(0, total - self._used.get(hardware, 0))

    def offer(self, hardware: str, replicas: int) -> int:
        """Return how many of ``replicas`` could be taken now."""
        free = self.free(hardware)
        return replicas if free is None else min(replicas, free)

    def take(self, hardware: str, replicas: int) -> None:
        """Occupy ``replicas``, whether or not that many are free."""
        self._used[hardware] = self._used.get(hardware, 0) + replicas

    def give_back(self, hardware: str, replicas: int) -> None:
        """Release ``replicas`` and let those who wait for them try again."""
        if replicas:
            self._used[hardware] = self._used.get(hardware, 0) - replicas
            self._wake(hardware)

    def wait(self, hardware: str, who: str, retry: Callable[[], None]) -> None:
        """Queue ``who``; ``retry`` is called whenever something may have become free."""
        self._queues.setdefault(hardware, {})[who] = retry

    def waits(self, hardware: str, who: str) -> bool:
        """Tell whether ``who`` is queued."""
        return who in self._queues.get(hardware, {})

    def leave(self, hardware: str, who: str) -> None:
        """Take ``who`` out of the queue."""
        self._queues.get(hardware, {}).pop(who, None)

    def _wake(self, hardware: str) -> None:
        for retry in list(self._queues.get(hardware, {}).values()):
            retry()
