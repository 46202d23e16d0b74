"""What goes wrong at Together in API v2 alone, and where there is no hardware."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.by_hand import make_deployment
from tests.chaos.fault import Fault
from tests.support.operator import HARDWARE
from together_local.simulator.client import AdminError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.run import Run
    from tests.chaos.scenario import Scenario

_STOCK: Final = (HARDWARE, "4x_nvidia_h100_80gb_sxm")


class _OfV2(Fault):
    """A fault that only API v2 has."""

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where something is written there."""
        return api == "V2" and bool(scenario.writes(api))


class NoCapacity(Fault):
    """There is no hardware for a while."""

    name = "no-capacity"

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where something is to begin to run."""
        return "POST" in scenario.writes(api) or scenario.name == "start"

    def arm(self, run: Run) -> None:
        """Take it away, and bring it back."""
        run.together.capacity(dict.fromkeys(_STOCK, 0))
        back = dict.fromkeys(_STOCK)
        run.after(run.chance.uniform(1, 6), lambda: _ignored(run.together.capacity(back)))


class Quota(_OfV2):
    """The project may have no GPU for a while: 429."""

    name = "quota-429"

    def arm(self, run: Run) -> None:
        """Take the quota away, and give it back."""
        run.together.assume(gpu_quota=0)
        seconds = run.chance.uniform(1, 6)
        run.after(seconds, lambda: _ignored(run.together.assume(gpu_quota=None)))


class Rollout(_OfV2):
    """Somebody's rollout locks the traffic and what has a part in it, for a while."""

    name = "rollout"

    def arm(self, run: Run) -> None:
        """Begin one as soon as there is an endpoint, and end it."""
        seconds = run.chance.uniform(1, 6)

        def begin() -> None:
            _on_homes(run, activeRolloutId="rol_somebodys")
            run.after(seconds, lambda: _on_homes(run, activeRolloutId=None))

        _soon_after(run, begin)


class EtagMoves(_OfV2):
    """Somebody changes the endpoint all the time, so that what was decided on is never the last."""

    name = "etag-stale"

    def arm(self, run: Run) -> None:
        """Change it again and again, for a while."""
        over = time.monotonic() + run.chance.uniform(2, 6)

        def change() -> None:
            _on_homes(run, updatedBy="somebody")
            if time.monotonic() < over and not run.over:
                run.after(run.chance.uniform(0, 0.3), change)

        _soon_after(run, change)


class Guest(_OfV2):
    """A person puts a deployment of theirs into the endpoint and its traffic, and keeps others."""

    name = "guest"

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where the endpoint stays: it does not go as long as a person's deployment is in it."""
        stays = not scenario.name.startswith(("delete-", "recreate", "move"))
        return super().fits(scenario, api) and stays and scenario.stands

    def arm(self, run: Run) -> None:
        """Make them, before the act or soon after."""
        run.after(run.chance.uniform(0, 2), lambda: _invite(run))


def _invite(run: Run) -> None:
    """Make a deployment in the endpoint, and another endpoint with one of its own."""
    live = run.live()
    if not live or run.over:
        return
    home = live[0]["home"]
    name = f"strange-{run.name}"
    beside = run.together.create({"name": name, "project": run.project})["id"]
    run.strangers.add(beside)
    for endpoint in (beside, home):
        # It is known for a stranger before it can be seen by anybody who counts.
        made = make_deployment(run, endpoint, "by-hand")
        run.strangers.add(made)
        split = next(
            h["traffic_split"] for h in run.ledger()["v2_endpoints"] if h["id"] == endpoint
        )
        if endpoint == home:
            run.guests[made] = (25.0, time.time())
        shares = {**split, made: 25.0}
        entries = [{"deploymentId": one, "weight": weight} for one, weight in shares.items()]
        run.together.force(endpoint, trafficSplit=entries)
        run.note(f"{made} in {endpoint} is somebody else's")


def _soon_after(run: Run, act: Callable[[], None]) -> None:
    """Do something as soon as there is an endpoint, or a little later."""
    pause = run.chance.uniform(0, 1.5)
    # All is well before: what has its endpoint in v1 in time stays there.
    run.once(
        lambda: bool(run.books().homes) or run.over,
        lambda: run.after(pause, act),
        trouble=False,
    )


def _on_homes(run: Run, **fields: Any) -> None:
    for home in run.books().homes:
        try:
            run.together.force(home["id"], **fields)
        except AdminError:
            continue  # it has just gone


def _ignored(_: object) -> None:
    """For what is done for its effect."""


V2_FAULTS: Final[tuple[Fault, ...]] = (NoCapacity(), Quota(), Rollout(), EtagMoves(), Guest())
"""All of them."""
