"""An endpoint from the console, and a resource that names it."""

from __future__ import annotations

from typing import Any

from together_operator.core.marker import Marker
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Bounds
from together_operator.resource.spec import Adopt

from .world import UID, World

SECOND = "uid-2"
X = Adopt(endpoint_id="endpoint-1")


def adopting(**wishes: Any) -> World:
    """Somebody has made an endpoint in the console, and applies a resource that names it."""
    world = World()
    machine = world.by_hand("made in the console", bounds=Bounds(2, 4))
    world.pass_time(7200)
    assert machine.state == "STARTED"
    world.apply("mixtral", UID, adopt=X, **wishes)
    return world


def adopted(**wishes: Any) -> World:
    """The same, a while later."""
    world = adopting(**wishes)
    world.run(60)
    assert world.status.adopted is True
    return world


def mark_of(world: World) -> Marker | None:
    """The mark that the endpoint of the console carries."""
    return Marker.parse(world.together.machines["endpoint-1"].display_name)


def refused(world: World, uid: str = UID) -> str:
    """The message of a refusal."""
    assert world.reason(uid) == Reason.ADOPTION_REFUSED
    assert world.conditions(uid)["Stalled"] == "True"
    return world.condition(uid=uid).message
