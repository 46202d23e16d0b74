"""What happens to a resource in a run: a beginning in peace, an act under fire, the right ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.goal import EXHAUSTED, GONE, SERVING, STOPPED, Goal
from tests.support.operator import HARDWARE, MODEL, SECRET

if TYPE_CHECKING:
    from tests.chaos.run import Run

ORDERS: Final = "/endpoints$"
"""Where an endpoint is ordered, in either generation."""

DEPLOYMENTS: Final = "/deployments$"
"""Where a deployment is ordered, and before that tried without effect."""

OTHER_HARDWARE: Final = "4x_nvidia_h100_80gb_sxm"
"""What a swap asks for; what it asked for before is `HARDWARE`."""

_AS_V2: Final = {HARDWARE: "2xnvidia-h100-80gb", OTHER_HARDWARE: "4xnvidia-h100-80gb"}

V1: Final = ("V1",)
V2: Final = ("V2",)

_NEVER: Final = 1e9
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


class Create(Scenario):
    """A resource is applied."""

    name = "create"
    sends = frozenset({"POST"})
    sends_v2 = frozenset({"POST", "PATCH"})
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
    sends_v2 = frozenset({"POST"})

    def act(self, run: Run) -> None:
        """Apply it."""
        run.apply(state="Stopped")

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It is there, and stopped."""
        return (STOPPED, EXHAUSTED)


class AutoRetired(Create):
    """A resource leaves the generation open, and API v1 is closed before its order or during it."""

    apis = V2

    def __init__(self, name: str, latest: float) -> None:
        self.name = name
        self._latest = latest

    def act(self, run: Run) -> None:
        """Apply it, and close API v1."""
        if not self._latest:
            run.together.profile("retired")
        else:
            later = run.chance.uniform(0, self._latest)
            run.after(later, lambda: run.together.profile("retired"))
        run.apply(api="Auto")


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
    apis = V1

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
        apis: The generations that have such a state.
    """

    sends = frozenset({"DELETE"})
    sends_v2 = frozenset({"PATCH", "DELETE"})

    def __init__(
        self, state: str, reach: Callable[[Run], None], apis: tuple[str, ...] = Scenario.apis
    ) -> None:
        self.name = f"delete-{state.lower()}"
        self.apis = apis
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
                bool(endpoint) and endpoint["home"] == recorded and endpoint["state"] == self._state
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
    # In API v2 nothing can be deleted before it has stopped.
    run.together.assume(stopping_seconds=_NEVER if run.plan.api == "V1" else 300.0)
    run.edit(state="Stopped")


def _failed(run: Run) -> None:
    _serving(run)
    run.force(run.live()[0]["id"], "ERROR")
    run.reaches("EndpointFailed")


def _without_capacity(run: Run) -> None:
    run.together.capacity({HARDWARE: 0})
    run.apply()


DELETIONS: Final = (
    Delete("PENDING", _while(slow=["pending_seconds"])),
    Delete("STARTING", _while(slow=["starting_seconds"])),
    Delete("STARTED", _serving),
    Delete("STOPPING", _stopping),
    Delete("STOPPED", _while(slow=[], state="Stopped")),
    Delete("ERROR", _failed),
    Delete("DEGRADED", _without_capacity, V2),
)


class DeleteEmpty(Scenario):
    """A resource is deleted whose endpoint has no deployment yet."""

    name = "delete-empty"
    sends_v2 = frozenset({"PATCH", "DELETE"})
    apis = V2

    def prepare(self, run: Run) -> None:
        """Have every deployment refused."""
        run.together.arm(
            {"method": "POST", "path_regex": DEPLOYMENTS, "fault": "status", "status": 429,
             "times": -1}
        )  # fmt: skip
        run.apply()

        def there() -> bool:
            recorded = (run.read() or {}).get("status", {}).get("endpointID")
            return [home["id"] for home in run.books().homes] == [recorded]

        run.until("there is an endpoint", there)

    def act(self, run: Run) -> None:
        """Delete it."""
        run.delete()

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Nothing is left."""
        return (GONE,)


class DeleteUnresolved(Scenario):
    """A resource is deleted while nobody knows what came of its order."""

    name = "delete-unresolved"
    sends = frozenset({"DELETE"})
    sends_v2 = frozenset({"PATCH", "DELETE"})
    stands = False

    def prepare(self, run: Run) -> None:
        """Have the order lost, before its effect or after, and what it made out of sight."""
        fault = run.chance.choice(("reset_before", "reset_after", "late_effect"))
        seconds = run.chance.uniform(0.5, 3.5) if fault == "late_effect" else 0.0
        run.note(f"the order meets {fault}, {seconds:.2f} s")
        run.effects_within(seconds)
        # With the first fault only: an armed fault of another kind on the same request wins.
        deployment = run.plan.api == "V2" and run.chance.random() < 0.5
        path, after = (DEPLOYMENTS, 1) if deployment else (ORDERS, 0)
        run.together.arm(
            {"method": "POST", "path_regex": path, "fault": fault, "seconds": seconds,
             "after": after},
            {"method": "GET", "fault": "hide_in_list", "seconds": 1.8, "times": -1},
        )  # fmt: skip
        run.apply()
        orders = 2 if deployment else 1
        run.until("it claims", lambda: _unresolved(run) and len(run.posts()) >= orders)

    def act(self, run: Run) -> None:
        """Delete it."""
        run.delete()

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Nothing is left."""
        return (GONE,)


def _phase(run: Run) -> str | None:
    phase: str | None = _operation(run).get("phase")
    return phase


def _operation(run: Run) -> dict[str, Any]:
    operation: dict[str, Any] = (run.read() or {}).get("status", {}).get("operation", {})
    return operation


def _unresolved(run: Run) -> bool:
    return _operation(run).get("phase") == "Open" or "deploying" in _operation(run)


class DeleteNamespace(Scenario):
    """The namespace is deleted with everything in it, and the Secret goes first."""

    name = "delete-namespace"
    sends = frozenset({"DELETE"})
    sends_v2 = frozenset({"PATCH", "DELETE"})

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
    apis = V1

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
    sends_v2 = frozenset({"POST", "PATCH"})

    def prepare(self, run: Run) -> None:
        """Have it serve."""
        run.apply(onMissing="Recreate")
        run.reaches("Serving")

    def act(self, run: Run) -> None:
        """Delete it, as a person would; where that is something else, what runs or all of it."""
        (former,) = run.live()
        run.together.delete(former[run.chance.choice(("id", "home"))])

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Another one serves."""
        return (SERVING, EXHAUSTED)


class Restart(Scenario):
    """The operator ends while nothing is to be done, and begins again."""

    name = "restart"
    sends = frozenset()
    sends_v2 = frozenset()

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


class Swap(Scenario):
    """What cannot be changed of what serves is changed, and another one takes its place."""

    name = "swap"
    sends_v2 = frozenset({"POST", "PATCH", "DELETE"})
    apis = V2

    def prepare(self, run: Run) -> None:
        """Have it serve."""
        run.apply(replacement="Swap")
        run.reaches("Serving")

    def act(self, run: Run) -> None:
        """Ask for other hardware."""
        run.swap(hardware=OTHER_HARDWARE)

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Another one serves, on that hardware."""
        return (replace(SERVING, hardware=_AS_V2[OTHER_HARDWARE]),)


class SwapFailed(Swap):
    """What is to take the place of what serves never comes up, and fails."""

    name = "swap-failed"

    def act(self, run: Run) -> None:
        """Ask for other hardware, and have what comes of it fail each time."""
        run.together.assume(starting_seconds=_NEVER)
        run.swap(hardware=OTHER_HARDWARE)

        def coming() -> list[str]:
            other = _AS_V2[OTHER_HARDWARE]
            live = run.books().running() if not run.over else []
            return [entry["id"] for entry in live if entry["hardware"] == other]

        def fail() -> None:
            for deployment in coming():
                run.note(f"{deployment} fails")
                run.force(deployment, "ERROR")
            run.once(lambda: bool(coming()), fail, trouble=False)

        run.once(lambda: bool(coming()), fail)

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """The former one serves as before, and that is told."""
        serves = Goal.of("ReplacementFailed", state="STARTED", hardware=_AS_V2[HARDWARE])
        return (serves,)


class SwapBack(Swap):
    """What was asked for in the place of what serves is taken back, at whatever moment."""

    name = "swap-back"

    def act(self, run: Run) -> None:
        """Ask for other hardware, and change one's mind."""
        run.swap(hardware=OTHER_HARDWARE)
        run.after(run.chance.uniform(0, 3), lambda: run.swap(hardware=HARDWARE))

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves on the former hardware."""
        return (replace(SERVING, hardware=_AS_V2[HARDWARE]),)


SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Create(), CreateStopped(), Scale(), Stop(), Start(), Rename(), *DELETIONS,
        DeleteUnresolved(), DeleteNamespace(), RotateServing(), RotateCreating(), Restart(),
        Upgrade(), Adopt(), Recreate(), DeleteEmpty(), AutoRetired("auto-retired", 0.0),
        AutoRetired("auto-retiring", 1.0), Swap(), SwapFailed(), SwapBack(),
    )
}  # fmt: skip
"""All of them, by name."""
