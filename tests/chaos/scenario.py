"""What every scenario has: a beginning in peace, an act under fire, the right ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.goal import Goal

if TYPE_CHECKING:
    from tests.chaos.run import Run


ORDERS: Final = "/endpoints$"
"""Where an endpoint is ordered, in either generation."""

DEPLOYMENTS: Final = "/deployments$"
"""Where a deployment is ordered, and before that tried without effect."""

V1: Final = ("V1",)
V2: Final = ("V2",)

NEVER: Final = 1e9
"""Simulated seconds after which nothing in a run comes."""


class Scenario(ABC):
    """One thing that happens to a resource.

    Attributes:
        name: What the table calls it.
        sends: The verbs of what is written to API v1 under fire.
        sends_v2: The verbs of what is written to API v2.
        stands: Whether the resource has an endpoint when the act begins.
        apis: The generations in which it is played.
    """

    name: str
    sends: frozenset[str] = frozenset({"PATCH"})
    sends_v2: frozenset[str] = frozenset({"PATCH"})
    stands = True
    apis: tuple[str, ...] = (*V1, *V2)

    def writes(self, api: str) -> frozenset[str]:
        """The verbs of what is written to Together under fire, in a generation."""
        return self.sends if api == "V1" else self.sends_v2

    def prepare(self, run: Run) -> None:
        """Bring the resource to where the act finds it; nothing goes wrong meanwhile."""
        run.apply()
        run.reaches("Serving")

    @abstractmethod
    def act(self, run: Run) -> None:
        """Do what the scenario is about; faults and crashes are armed."""

    @abstractmethod
    def goals(self, run: Run) -> tuple[Goal, ...]:
        """The right ends, if nothing but crashes happened."""


def phase_of(run: Run) -> str | None:
    """How far the create protocol has come, as the status says."""
    phase: str | None = operation_of(run).get("phase")
    return phase


def operation_of(run: Run) -> dict[str, Any]:
    """What the status has on record of an attempt; empty if it has nothing."""
    operation: dict[str, Any] = (run.read() or {}).get("status", {}).get("operation", {})
    return operation
