"""A move from API v1 to v2 that goes through, one that waits for a person, and one called off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.chaos.goal import EXHAUSTED, SERVING, Goal
from tests.chaos.scenario import V2, Scenario

if TYPE_CHECKING:
    from tests.chaos.run import Run


_ASKED: Final = replace(SERVING, reasons=EXHAUSTED.reasons)


class Move(Scenario):
    """What serves in v1 is to be in v2, and a person says at once that the former one may go."""

    name = "move"
    sends_v2 = frozenset({"POST", "PATCH", "DELETE"})
    apis = V2

    def prepare(self, run: Run) -> None:
        """Have it serve in v1."""
        run.apply(api="V1")
        run.reaches("Serving")

    def act(self, run: Run) -> None:
        """Ask for v2, and confirm it in the same breath."""
        run.move(confirmed=True)

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves in v2, and nothing of v1 is left; or a person is asked, and v1 goes on."""
        return (SERVING, _ASKED)


class MoveConfirmed(Move):
    """A person confirms the move later, at whatever moment."""

    name = "move-confirmed"

    def act(self, run: Run) -> None:
        """Ask for v2, and confirm it after a while."""
        run.move()
        run.after(run.chance.uniform(0, 6), run.confirm)


class MoveBack(Move):
    """The move is called off, at whatever moment."""

    name = "move-back"

    def act(self, run: Run) -> None:
        """Ask for v2, and change one's mind."""
        run.move()
        run.after(run.chance.uniform(0, 6), run.call_off)

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves in one of them."""
        return (SERVING,)
