"""What goes wrong with the control plane itself, to everyone who uses it.

Runs with one of these take place on a control plane of their own, one after the other.
"""

from __future__ import annotations

import shutil
import time
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.chaos.fault import Fault
from tests.chaos.goal import SERVING, STOPPED, Goal
from together_local.cluster.component import Component
from together_local.cluster.control_plane import ControlPlane

if TYPE_CHECKING:
    from tests.chaos.run import Run
    from tests.chaos.scenario import Scenario

_AWAY: Final = Goal.of("StoppedRemotely", state="STOPPED")
_MISSING: Final = Goal.of("RemoteMissing", live=0)

_AS_BEFORE: Final = {
    "scale": (SERVING,),
    "rename": (SERVING,),
    "restart": (SERVING,),
    "stop": (SERVING, _AWAY),
    "start": (STOPPED,),
    "delete-started": (SERVING, _MISSING),
    "delete-stopped": (STOPPED, _MISSING),
}
"""The right ends where what the scenario did is forgotten, by scenario.

The resource is what it was, and Together is not. A stop is not taken back (I8), what is deleted is
not made again, and both are told.
"""


def plane_of(run: Run) -> ControlPlane:
    """The control plane of a run that has one for itself.

    Args:
        run: The run.

    Raises:
        AssertionError: It has not.
    """
    plane = run.stage.cluster
    assert isinstance(plane, ControlPlane), "this run has no control plane of its own"
    return plane


class PlaneFault(Fault):
    """Something that happens to the control plane, once, soon after the act."""

    exclusive = True

    def arm(self, run: Run) -> None:
        """Have it happen."""
        plane = plane_of(run)

        def strike() -> None:
            run.note(self.name)
            self.strike(run, plane)

        run.after(run.chance.uniform(0, 3), strike)

    @abstractmethod
    def strike(self, run: Run, plane: ControlPlane) -> None:
        """Do it; it is over when this returns."""


class Restarted(PlaneFault):
    """The API server is restarted, or killed and started."""

    name = "apiserver-restarted"

    def strike(self, run: Run, plane: ControlPlane) -> None:
        """Restart it."""
        if run.chance.random() < 0.5:
            plane.apiserver.kill()
            plane.apiserver.start()
        else:
            plane.apiserver.restart()


class Frozen(PlaneFault):
    """A component stands still, with its connections open, and goes on."""

    def strike(self, run: Run, plane: ControlPlane) -> None:
        """Freeze it, and let it go on."""
        component = self.component(plane)
        component.pause()
        try:
            # Nobody can see or do anything meanwhile, so the run stands still as well.
            time.sleep(run.chance.uniform(1, 6))
        finally:
            component.resume()

    @abstractmethod
    def component(self, plane: ControlPlane) -> Component:
        """Which."""


class ApiServerFrozen(Frozen):
    """The API server stands still."""

    name = "apiserver-paused"

    def component(self, plane: ControlPlane) -> Component:
        """The API server."""
        return plane.apiserver


class EtcdFrozen(Frozen):
    """The store stands still."""

    name = "etcd-paused"

    def component(self, plane: ControlPlane) -> Component:
        """The store."""
        return plane.etcd


class EtcdRolledBack(Fault):
    """After a disaster, all that is stored is as it was before the act."""

    name = "etcd-rolled-back"
    exclusive = True

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where the resource was there before.

        What is ordered by a resource that is then forgotten is beyond what can be promised: it is
        reported as an orphan.
        """
        return scenario.name in _AS_BEFORE

    def arm(self, run: Run) -> None:
        """Keep a copy, and go back to it some time after the act."""
        plane = plane_of(run)
        copy: Path = run.stage.folder / f"etcd-{run.name}"
        plane.save_etcd(copy)
        before = run.wishes.last.state

        def go_back() -> None:
            run.note("etcd goes back to before the act")
            plane.restore_etcd(copy)
            shutil.rmtree(copy)
            run.wishes.add(before)

        run.after(run.chance.uniform(0, 6), go_back)

    def goals(self, run: Run, goals: tuple[Goal, ...]) -> tuple[Goal, ...]:
        """As before the act, as far as Together can be what it was."""
        ends = _AS_BEFORE[run.plan.scenario]
        # What is to be deleted there is stopped before.
        stopped = run.plan.api == "V2" and run.plan.scenario == "delete-started"
        return (*ends, _AWAY) if stopped else ends


PLANE_FAULTS: Final[tuple[Fault, ...]] = (
    Restarted(),
    ApiServerFrozen(),
    EtcdFrozen(),
    EtcdRolledBack(),
)
"""All of them."""
