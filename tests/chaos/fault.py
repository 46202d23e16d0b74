"""What it is for something to go wrong in a run: when that says anything, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.goal import Goal

if TYPE_CHECKING:
    from tests.chaos.run import Run
    from tests.chaos.scenario import Scenario


class Fault:
    """One thing that goes wrong.

    Attributes:
        name: What the table calls it.
        exclusive: Whether a run with it needs a control plane of its own.
        elected: Whether it says nothing where the operator needs no Lease.
    """

    name: str
    exclusive: bool = False
    elected: bool = False

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Whether it says anything in a scenario.

        Args:
            scenario: The scenario.
            api: The generation of Together's API in which it is played.
        """
        return True

    def arm(self, run: Run) -> None:
        """Have it go wrong from now on, and end by `Run.after` or `Run.once`."""

    def goals(self, run: Run, goals: tuple[Goal, ...]) -> tuple[Goal, ...]:
        """The right ends with it.

        Args:
            run: The run.
            goals: The scenario's own.
        """
        return goals


class Nothing(Fault):
    """All is well, but for crashes."""

    name = "none"
