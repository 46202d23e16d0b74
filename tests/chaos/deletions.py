"""Deletions, of whatever the endpoint is doing just then and whatever is not known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.goal import GONE, Goal
from tests.chaos.scenario import DEPLOYMENTS, NEVER, ORDERS, V2, Scenario, operation_of
from tests.support.operator import HARDWARE, SECRET

if TYPE_CHECKING:
    from tests.chaos.run import Run


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
    seconds = dict.fromkeys(spec.pop("slow"), NEVER)

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
    run.together.assume(stopping_seconds=NEVER if run.plan.api == "V1" else 300.0)
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


def _unresolved(run: Run) -> bool:
    return operation_of(run).get("phase") == "Open" or "deploying" in operation_of(run)


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
