"""What happens to a resource in a run: a beginning in peace, an act under fire, the right ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.goal import EXHAUSTED, GONE, SERVING, STOPPED, Goal
from tests.support.operator import HARDWARE, MODEL, SECRET

if TYPE_CHECKING:
    from tests.chaos.run import Run

ORDERS: Final = "^/v1/endpoints$"
_NEVER: Final = 1e9
"""Simulated seconds after which nothing in a run comes."""


class Scenario(ABC):
    """One thing that happens to a resource.

    Attributes:
        name: What the table calls it.
        sends: The verbs of what is written to Together under fire.
        stands: Whether the resource has an endpoint when the act begins.
    """

    name: str
    sends: frozenset[str] = frozenset({"PATCH"})
    stands = True

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


class Create(Scenario):
    """A resource is applied."""

    name = "create"
    sends = frozenset({"POST"})
    stands = False

    def prepare(self, run: Run) -> None:
        """Nothing is there."""

    def act(self, run: Run) -> None:
        """Apply it."""
        run.apply()

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves."""
        return (SERVING, EXHAUSTED)


class CreateStopped(Create):
    """A resource is applied whose endpoint is not to run."""

    name = "create-stopped"

    def act(self, run: Run) -> None:
        """Apply it."""
        run.apply(state="Stopped")

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It is there, and stopped."""
        return (STOPPED, EXHAUSTED)


class Scale(Scenario):
    """The replica bounds of what serves are changed."""

    name = "scale"

    def act(self, run: Run) -> None:
        """Ask for more."""
        run.edit(autoscaling={"minReplicas": 2, "maxReplicas": 3})

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves with these bounds."""
        return (Goal.of("Serving", state="STARTED", bounds=(2, 3)),)


class Stop(Scenario):
    """What serves is to stop."""

    name = "stop"

    def act(self, run: Run) -> None:
        """Ask for it."""
        run.edit(state="Stopped")

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It is stopped."""
        return (STOPPED,)


class Start(Scenario):
    """What is stopped is to start."""

    name = "start"

    def prepare(self, run: Run) -> None:
        """Have it stopped."""
        run.apply(state="Stopped")
        run.reaches("Stopped")

    def act(self, run: Run) -> None:
        """Ask for it."""
        run.edit(state="Started")

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves."""
        return (SERVING,)


class Rename(Scenario):
    """What serves is given another name."""

    name = "rename"

    def act(self, run: Run) -> None:
        """Ask for it."""
        run.edit(displayName="Another name")

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves, and bears the name."""
        return (Goal.of("Serving", state="STARTED", called="Another name tep-"),)


class Delete(Scenario):
    """A resource is deleted whose endpoint is in some state.

    Args:
        state: Which, as Together calls it.
        reach: Has it be in that state.
    """

    sends = frozenset({"DELETE"})

    def __init__(self, state: str, reach: Callable[[Run], None]) -> None:
        self.name = f"delete-{state.lower()}"
        self._state = state
        self._reach = reach

    def prepare(self, run: Run) -> None:
        """Have it in the state, and on record."""
        self._reach(run)

        def there() -> bool:
            found = run.read() or {}
            endpoint = next(iter(run.live()), {})
            recorded = found.get("status", {}).get("endpointID")
            return (
                bool(endpoint) and endpoint["id"] == recorded and endpoint["state"] == self._state
            )

        run.until(f"it is {self._state}", there)

    def act(self, run: Run) -> None:
        """Delete it."""
        run.delete()

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Nothing is left."""
        return (GONE,)


def _while(**spec: Any) -> Callable[[Run], None]:
    """How to reach a state: what is passed through takes for ever."""
    seconds = dict.fromkeys(spec.pop("slow"), _NEVER)

    def reach(run: Run) -> None:
        run.together.assume(**seconds)
        run.apply(**spec)

    return reach


def _serving(run: Run) -> None:
    run.apply()
    run.reaches("Serving")


def _stopping(run: Run) -> None:
    _serving(run)
    run.together.assume(stopping_seconds=_NEVER)
    run.edit(state="Stopped")


def _failed(run: Run) -> None:
    _serving(run)
    run.together.force(run.live()[0]["id"], state="ERROR")
    run.reaches("EndpointFailed")


DELETIONS: Final = (
    Delete("PENDING", _while(slow=["pending_seconds"])),
    Delete("STARTING", _while(slow=["starting_seconds"])),
    Delete("STARTED", _serving),
    Delete("STOPPING", _stopping),
    Delete("STOPPED", _while(slow=[], state="Stopped")),
    Delete("ERROR", _failed),
)


class DeleteUnresolved(Scenario):
    """A resource is deleted while nobody knows what came of its order."""

    name = "delete-unresolved"
    sends = frozenset({"DELETE"})
    stands = False

    def prepare(self, run: Run) -> None:
        """Have the order lost, before its effect or after, and what it made out of sight."""
        fault = run.chance.choice(("reset_before", "reset_after", "late_effect"))
        seconds = run.chance.uniform(0.5, 3.5) if fault == "late_effect" else 0.0
        run.note(f"the order meets {fault}, {seconds:.2f} s")
        run.effects_within(seconds)
        # With the first fault only: an armed fault of another kind on the same request wins.
        run.together.arm(
            {"method": "POST", "path_regex": ORDERS, "fault": fault, "seconds": seconds},
            {"method": "GET", "fault": "hide_in_list", "seconds": 1.8, "times": -1},
        )
        run.apply()
        run.until("it claims", lambda: _phase(run) == "Open" and run.posts())

    def act(self, run: Run) -> None:
        """Delete it."""
        run.delete()

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Nothing is left."""
        return (GONE,)


def _phase(run: Run) -> str | None:
    phase: str | None = (run.read() or {}).get("status", {}).get("operation", {}).get("phase")
    return phase


class DeleteNamespace(Scenario):
    """The namespace is deleted with everything in it, and the Secret goes first."""

    name = "delete-namespace"
    sends = frozenset({"DELETE"})

    def act(self, run: Run) -> None:
        """Delete the Secret, and then the namespace."""
        run.kube.delete_secret(SECRET)
        run.delete_namespace()

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Nothing is left."""
        return (GONE,)


class RotateServing(Scenario):
    """The key is changed, and the former one dies, while what serves is to be scaled."""

    name = "rotate-serving"

    def act(self, run: Run) -> None:
        """Change the key, ask for more, and have the former key refused."""
        former = run.rotate()
        run.edit(autoscaling={"minReplicas": 2, "maxReplicas": 2})
        run.after(run.chance.uniform(0, 2), lambda: run.together.keys(deny=[former]))

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves with these bounds."""
        return (Goal.of("Serving", state="STARTED", bounds=(2, 2)),)


class RotateCreating(Create):
    """The key is changed while the order is on its way; the former one still sees what it made."""

    name = "rotate-creating"

    def act(self, run: Run) -> None:
        """Apply it, and change the key as soon as the order is sent."""
        run.apply()
        run.once(lambda: _phase(run) is not None, lambda: _ignored(run.rotate()))

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves; or nothing was made, and a person is asked before the new key orders."""
        return (*super().goals(run), Goal.of("CredentialMismatch", live=0))


def _ignored(_: object) -> None:
    """For what is done for its effect."""


class Adopt(Scenario):
    """An endpoint that a person made is taken over, for good or until its resource is deleted."""

    name = "adopt"

    def prepare(self, run: Run) -> None:
        """Have a person make one, and wait until it runs."""
        bounds = {"min_replicas": 1, "max_replicas": 1}
        body = {"model": MODEL, "hardware": HARDWARE, "autoscaling": bounds}
        run.together.create({**body, "display_name": "By hand", "project": run.project})
        run.until("it runs", lambda: run.live()[0]["state"] == "STARTED")

    def act(self, run: Run) -> None:
        """Take it over."""
        endpoint = run.live()[0]["id"]
        policy = {} if run.chance.random() < 0.5 else {"deletionPolicy": "Delete"}
        run.retained = set() if policy else {endpoint}
        run.apply(adopt={"endpointID": endpoint}, **policy)

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves, and is the only one."""
        return (SERVING,)


class Recreate(Scenario):
    """What serves is deleted in the console, and the resource says that it is to be replaced."""

    name = "recreate"
    sends = frozenset({"POST"})

    def prepare(self, run: Run) -> None:
        """Have it serve."""
        run.apply(onMissing="Recreate")
        run.reaches("Serving")

    def act(self, run: Run) -> None:
        """Delete it, as a person would."""
        (former,) = run.live()
        run.together.delete(former["id"])

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Another one serves."""
        return (SERVING, EXHAUSTED)


class Restart(Scenario):
    """The operator ends while nothing is to be done, and begins again."""

    name = "restart"
    sends = frozenset()

    def act(self, run: Run) -> None:
        """Have it end."""
        run.stage.life.kill()

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Nothing has changed."""
        return (SERVING,)


class Upgrade(Create):
    """A new process of the operator comes while the old one works, and then that one leaves."""

    name = "upgrade"

    def act(self, run: Run) -> None:
        """Apply the resource, and have the processes overlap for a while."""
        begin = run.chance.uniform(0, 0.3)
        run.after(begin, run.launch)
        run.after(begin + run.chance.uniform(0, 3), run.retire)
        run.apply()


SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Create(), CreateStopped(), Scale(), Stop(), Start(), Rename(), *DELETIONS,
        DeleteUnresolved(), DeleteNamespace(), RotateServing(), RotateCreating(), Restart(),
        Upgrade(), Adopt(), Recreate(),
    )
}  # fmt: skip
"""All of them, by name."""
