"""What goes wrong in a run; here, at Together or on the way to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.fault import Fault, Nothing
from tests.chaos.goal import Goal
from tests.chaos.kube_faults import KUBE_FAULTS
from tests.chaos.plane_faults import PLANE_FAULTS
from tests.chaos.timing import TIMING

if TYPE_CHECKING:
    from tests.chaos.run import Run
    from tests.chaos.scenarios import Scenario

_WRITES: Final = ("POST", "PATCH", "DELETE")
_ENDPOINTS: Final = "^/v1/endpoints"
_ONE: Final = "^/v1/endpoints/[^/]+$"
_EVERYTHING: Final = "^/v1/"

Goals = tuple[Goal, ...]
Armed = dict[str, Any]


class Few(Fault):
    """The next few requests meet a fault of the simulator's.

    Args:
        name: What the table calls it.
        fault: What they meet, in the words of its admin API.
        methods: Which requests, by their verbs.
        path: Which requests, by their path.
        most: How many of each verb meet it at most.
        seconds: Bounds of the fault's seconds, where it has any.
    """

    def __init__(
        self,
        name: str,
        fault: Armed,
        *,
        methods: tuple[str, ...] = _WRITES,
        path: str = _ENDPOINTS,
        most: int = 2,
        seconds: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.name = name
        self._fault = fault
        self._methods = methods
        self._path = path
        self._most = most
        self._seconds = seconds

    def arm(self, run: Run) -> None:
        """Arm it at the simulator."""
        times = run.chance.randint(1, self._most)
        seconds = run.chance.uniform(*self._seconds)
        run.note(f"{self.name}: {times} times, {seconds:.2f} s")
        if self._fault["fault"] == "late_effect":
            run.effects_within(seconds)
        common = {"path_regex": self._path, "times": times, "seconds": seconds}
        run.together.arm(*({**common, "method": m, **self._fault} for m in self._methods))


class LateBeyond(Few):
    """An order takes effect later than the protocol assumes. Judged apart."""

    def __init__(self) -> None:
        late = (TIMING.late + 1.0, TIMING.late + 12.0)
        fault = {"fault": "late_effect", "status": 503}
        super().__init__("late-beyond", fault, methods=("POST",), most=1, seconds=late)

    def fits(self, scenario: Scenario) -> bool:
        """Where something is ordered."""
        return scenario.orders

    def arm(self, run: Run) -> None:
        """Arm it at the simulator."""
        run.beyond = True
        super().arm(run)


FAULTS: dict[str, Fault] = {
    f.name: f for f in (Nothing(), ResetAfter(), *KUBE_FAULTS, *PLANE_FAULTS)
}
from tests.chaos.timing import TIMING
"""All of them, by name."""
