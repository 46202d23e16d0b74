"""Where a run is to end: what kubectl shows, and what Together's books say, at the same time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from tests.chaos.kube import Object
from tests.support.operator import reason_of


@dataclass(frozen=True, slots=True)
class Goal:
    """One end that is right.

    Attributes:
        reasons: Reasons of Ready for this generation; empty: the resource is gone.
        live: How many endpoints of the resource live.
        state: Together's word for the state of the one that does.
        bounds: Its replica bounds.
        called: How its display name begins.
    """

    reasons: frozenset[str]
    live: int = 1
    state: str | None = None
    bounds: tuple[int, int] | None = None
    called: str | None = None

    @classmethod
    def of(
        cls,
        *reasons: str,
        live: int = 1,
        state: str | None = None,
        bounds: tuple[int, int] | None = None,
        called: str | None = None,
    ) -> Self:
        """A goal with these reasons."""
        return cls(frozenset(reasons), live, state, bounds, called)

    def told(self, *reasons: str) -> Self:
        """The same with other reasons."""
        return replace(self, reasons=frozenset(reasons))

    def reached(self, found: Object | None, live: list[Object]) -> bool:
        """Whether it is so.

        Args:
            found: The resource.
            live: What lives of it at Together.
        """
        if found is None or not self.reasons:
            return found is None and not self.reasons and len(live) == self.live
        if reason_of(found) not in self.reasons or len(live) != self.live:
            return False
        return all(self._fits(found, endpoint) for endpoint in live)

    def _fits(self, found: Object, endpoint: Object) -> bool:
        bounds = endpoint["autoscaling"]
        return (
            endpoint["id"] == found["status"].get("endpointID")
            and self.state in (None, endpoint["state"])
            and self.bounds in (None, (bounds["min_replicas"], bounds["max_replicas"]))
            and (endpoint["display_name"] or "").startswith(self.called or "")
        )


SERVING = Goal.of("Serving", state="STARTED")
STOPPED = Goal.of("Stopped", state="STOPPED")
GONE = Goal.of(live=0)
EXHAUSTED = Goal.of("AttemptsExhausted", live=0)
"""Too many orders without a clear answer: a person is asked, and nothing was made."""
