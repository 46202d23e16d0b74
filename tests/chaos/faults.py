"""What goes wrong around the operator in a run; here, at Together's side or on the way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.chaos.fault import Fault, Nothing
from tests.chaos.kube_faults import KUBE_FAULTS
from tests.chaos.plane_faults import PLANE_FAULTS

if TYPE_CHECKING:
    from tests.chaos.run import Run

WRITES = "^(POST|PATCH|DELETE)$"
ENDPOINTS = "^/v1/endpoints"


class Armed(Fault):
    """A fault of the simulator's, on the next writes.

    Attributes:
        fault: What, in the words of its admin API.
        times: How many writes it meets, at most.
    """

    fault: ClassVar[dict[str, Any]]
    times: ClassVar[int] = 2

    def arm(self, run: Run) -> None:
        """Arm it."""
        times = run.chance.randint(1, self.times)
        for method in ("POST", "PATCH", "DELETE"):
            run.together.arm(
                {"method": method, "path_regex": ENDPOINTS, "times": times, **self.fault}
            )


class ResetAfter(Armed):
    """The connection is cut when the effect is there."""

    name = "reset-after"
    fault: ClassVar = {"fault": "reset_after"}


FAULTS: dict[str, Fault] = {
    f.name: f for f in (Nothing(), ResetAfter(), *KUBE_FAULTS, *PLANE_FAULTS)
}
"""All of them, by name."""
