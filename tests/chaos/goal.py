"""Where a run is to end: what kubectl shows, and what Together's books say, at the same time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from tests.chaos.books import Books
from tests.chaos.kube import Object
from tests.support.operator import reason_of


@dataclass(frozen=True, slots=True)
class Goal:
    """One end that is right.

    Attributes:
        reasons: Reasons of Ready for this generation; empty: the resource is gone.
        live: How many endpoints of the resource live; of API v2, deployments.
        state: Together's word for the state of the one that does, as API v1 spells it.
        bounds: Its replica bounds.
        called: How its display name begins.
        hardware: What it runs on, as API v2 spells it.
    """

    reasons: frozenset[str]
    live: int = 1
    state: str | None = None
    bounds: tuple[int, int] | None = None
    called: str | None = None
    hardware: str | None = None

    @classmethod
    def of(
        cls,
        *reasons: str,
        live: int = 1,
        state: str | None = None,
        bounds: tuple[int, int] | None = None,
        called: str | None = None,
        hardware: str | None = None,
    ) -> Self:
        """A goal with these reasons."""
        return cls(frozenset(reasons), live, state, bounds, called, hardware)

    def told(self, *reasons: str) -> Self:
        """The same with other reasons."""
        return replace(self, reasons=frozenset(reasons))

    def reached(self, found: Object | None, books: Books) -> bool:
        """Whether it is so.

        Args:
            found: The resource.
            books: What lives of it at Together.
        """
        live = books.live
        if found is None or not self.reasons:
            gone = found is None and not self.reasons
            return gone and len(live) == self.live and not books.homes
        if reason_of(found) not in self.reasons or len(live) != self.live:
            return False
        return books.apart() <= 1 and all(self._fits(found, one, books) for one in live)

    def _fits(self, found: Object, endpoint: Object, books: Books) -> bool:
        bounds, status = endpoint["autoscaling"], found["status"]
        if endpoint["generation"] == "v2":
            current = [d["id"] for d in status.get("deployments", ()) if d["role"] == "Current"]
            if current != [endpoint["id"]] or len(status["deployments"]) != 1:
                return False
            if self.state == "STARTED" and not books.routed(endpoint["id"]):
                return False
        return (
            endpoint["home"] == status.get("endpointID")
            and self.state in (None, endpoint["state"])
            and self.hardware in (None, endpoint["hardware"])
            and self.bounds in (None, (bounds["min_replicas"], bounds["max_replicas"]))
            and (endpoint["display_name"] or "").startswith(self.called or "")
        )


SERVING = Goal.of("Serving", state="STARTED")
STOPPED = Goal.of("Stopped", state="STOPPED")
GONE = Goal.of(live=0)
EXHAUSTED = Goal.of("AttemptsExhausted", live=0)
"""Too many orders without a clear answer: a person is asked, and nothing was made."""
