"""What happens to a resource in a run: a beginning in peace, an act under fire, the right ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tests.chaos.goal import EXHAUSTED, SERVING, STOPPED, Goal

if TYPE_CHECKING:
    from tests.chaos.run import Run


class Scenario(ABC):
    """One thing that happens to a resource.

    Attributes:
        name: What the table calls it.
        orders: Whether an endpoint may be ordered under fire.
    """

    name: ClassVar[str]
    orders: ClassVar[bool] = False

    def prepare(self, run: Run) -> None:  # noqa: B027 (most begin with nothing)
        """Bring the resource to where the act finds it; nothing goes wrong meanwhile."""

    @abstractmethod
    def act(self, run: Run) -> None:
        """Do what the scenario is about; faults and crashes are armed."""

    @abstractmethod
    def goals(self, run: Run) -> tuple[Goal, ...]:
        """The right ends, if nothing but crashes happened."""


class Create(Scenario):
    """A resource is applied."""

    name = "create"
    orders = True

    def act(self, run: Run) -> None:
        """Apply it."""
        run.apply()

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves."""
        return (SERVING, EXHAUSTED)


class CreateStopped(Scenario):
    """A resource is applied whose endpoint is not to run."""

    name = "create-stopped"
    orders = True

    def act(self, run: Run) -> None:
        """Apply it."""
        run.apply(state="Stopped")

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It is there, and stopped."""
        return (STOPPED, EXHAUSTED)


SCENARIOS: dict[str, Scenario] = {s.name: s for s in (Create(), CreateStopped())}
"""All of them, by name."""
