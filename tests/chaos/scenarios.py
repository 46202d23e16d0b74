"""What happens to a resource in a run, one class each, and all of them by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.chaos.by_hand import make_endpoint
from tests.chaos.deletions import DELETIONS, DeleteEmpty, DeleteNamespace, DeleteUnresolved
from tests.chaos.goal import EXHAUSTED, SERVING, STOPPED, Goal
from tests.chaos.moves import Move, MoveBack, MoveConfirmed
from tests.chaos.scenario import V1, V2, Scenario, phase_of
from tests.chaos.swaps import Swap, SwapBack, SwapFailed

if TYPE_CHECKING:
    from tests.chaos.run import Run


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
        run.once(lambda: phase_of(run) is not None, lambda: _ignored(run.rotate()))

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
        run.by_hand = make_endpoint(run)
        run.until("it runs", lambda: run.live()[0]["state"] == "STARTED")

    def act(self, run: Run) -> None:
        """Take it over."""
        policy = {} if run.chance.random() < 0.5 else {"deletionPolicy": "Delete"}
        run.retained = set() if policy else run.by_hand
        run.apply(adopt={"endpointID": run.live()[0]["home"]}, **policy)

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


SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Create(), CreateStopped(), Scale(), Stop(), Start(), Rename(), *DELETIONS,
        DeleteUnresolved(), DeleteNamespace(), RotateServing(), RotateCreating(), Restart(),
        Upgrade(), Adopt(), Recreate(), DeleteEmpty(), AutoRetired("auto-retired", 0.0),
        AutoRetired("auto-retiring", 1.0), Swap(), SwapFailed(), SwapBack(), Move(),
        MoveConfirmed(), MoveBack(),
    )
}  # fmt: skip
"""All of them, by name."""
