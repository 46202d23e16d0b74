"""A swap under way: what tests of it begin with, wait for, and ask Together about."""

from __future__ import annotations

from typing import Any

from tests.support.contract import conditions
from tests.support.operator import Object, eventually
from tests.support.team_v2 import TeamV2, bounds, manifest_v2, of_state

ZERO = {"autoscaling": bounds(0, 0)}
"""The change that stops a deployment."""


def serving(team: TeamV2, **spec: Any) -> tuple[Object, str]:
    """A resource that serves and may be swapped, and its deployment."""
    team.apply(manifest_v2(**{"replacement": "Swap", **spec}))
    found = team.until("mixtral", "Serving")
    return found, team.deployment()["id"]


def by_role(found: Object) -> dict[str, Object]:
    """The deployments of a resource by what they are to it."""
    return {one["role"]: one for one in found.get("status", {}).get("deployments", [])}


UNDER_WAY = [of_state(word) for word in ("PROVISIONING", "SCALING", "DEGRADED")]


def building(team: TeamV2) -> str:
    """Wait until a second deployment has been started, however soon it is ready; its id."""

    def seen(_: Object) -> str | None:
        for version in team.history():
            following = by_role(version).get("Next", {})
            if following.get("state") in UNDER_WAY:
                return str(following["id"])
        return None

    team.awaits("mixtral", "a second one is starting", seen)
    found = seen({})
    assert found is not None
    return found


def slowly(team: TeamV2) -> None:
    """From now on what is started takes its time, so that something can happen meanwhile."""
    team.together.assume(starting_seconds=360)


def settled(team: TeamV2) -> Object:
    """Wait until it serves through one deployment, with no other on record or at Together."""
    found = team.awaits(
        "mixtral",
        "serves through one",
        lambda it: (
            conditions(it)["Ready"]["reason"] == "Serving"
            and it["status"]["observedGeneration"] == it["metadata"]["generation"]
            and len(it["status"].get("deployments", [])) == 1
        ),
        within=90,
    )
    eventually("one is left at Together", lambda: len(team.live()) == 1, within=30)
    return found


def touched(team: TeamV2, deployment_id: str, after: float) -> list[Object]:
    """The changes of a deployment that were asked for since a moment."""
    return [
        r
        for r in team.requests()
        if r["method"] in ("PATCH", "DELETE") and deployment_id in r["path"] and r["at"] > after
    ]
