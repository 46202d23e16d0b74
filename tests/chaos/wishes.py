"""What was asked of the endpoint's state in a run, and when; what was sent has to follow it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from tests.chaos.timing import LATENESS

NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the resource asked of the endpoint's state, from a moment on.

    Attributes:
        at: Unix seconds.
        state: `Started` or `Stopped`.
        start: Whether it was a wish to start what is stopped.
    """

    at: float
    state: str
    start: bool = False


@dataclass(slots=True)
class Moving:
    """When a resource may have an endpoint in each generation of the API, in unix seconds.

    Attributes:
        since: When a person asked for the other generation.
        until: When it was seen to have one endpoint again.
        confirmed: When a person said that the endpoint of v1 may go.
        called_off: When a person said that the one of v2 shall go.
    """

    since: float = NEVER
    until: float = NEVER
    confirmed: float = NEVER
    called_off: float = NEVER

    def at(self, moment: float) -> bool:
        """Whether there may be two at a moment."""
        return self.since <= moment < self.until


class Wishes:
    """The wishes of a run, in order."""

    def __init__(self) -> None:
        self._made: list[Wish] = []

    @property
    def last(self) -> Wish:
        """The one that stands."""
        return self._made[-1]

    def add(self, state: str, *, start: bool = False) -> None:
        """Write down what is asked of the endpoint's state from now on."""
        self._made.append(Wish(time.time(), state, start))

    def had(self, at: float, state: str, *, start: bool = False) -> bool:
        """Whether a state was asked for at some moment at which a request may have been decided on.

        Args:
            at: When the request came, in unix seconds.
            state: `Started` or `Stopped`.
            start: Whether it has to be a wish to start what is stopped.
        """
        since = at - LATENESS
        later = [*(wish.at for wish in self._made[1:]), float("inf")]
        return any(
            wish.at <= at and until >= since and wish.state == state and (wish.start or not start)
            for wish, until in zip(self._made, later, strict=True)
        )
