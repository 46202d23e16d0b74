"""What happens to a world beside the steps of the operator: people, Together, and the Lease."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.core.deployments_model import Unit
from tests.core.happenings import HAPPENINGS
from tests.core.process_model import Process
from tests.core.together_model import EPOCH
from tests.core.world import HARDWARE, World
from together_operator.resource.endpoint_status import Role

LEASE = "the Lease changes hands"
OTHER = "2x_gpu"
"""Hardware that a person changes to."""

COPY = "uid-2"
"""The uid of a restored copy."""


def _backup(world: World) -> None:
    world.restore(COPY, notes=True, status=True)


def _lose(world: World) -> None:
    world.lose()


def _rebuild(world: World) -> None:
    """The cluster is built anew from a backup: the same resource under another uid."""
    _backup(world)
    _lose(world)
    world.judge.unasked.add(COPY)


def _undefine(world: World) -> None:
    world.undefine()


def _told_apart(world: World) -> bool:
    """Whether the CRD stays, and its removal can be told from a deletion just before it.

    Kubernetes tells times in whole seconds, which here are ticks.
    """
    body, now = world.body, EPOCH + world.now
    earlier = body is None or body.deleted is None or body.deleted < now
    return world.cluster.undefined is None and earlier


def _hide(world: World) -> None:
    world.together.hiding = 1


def _omit(world: World) -> None:
    world.together.omitting = True


def _listed(world: World) -> bool:
    """Whether LISTs have shown everything that lives: only then is one without it a bad one."""
    return all(
        world.now > machine.created + world.timing.lag for machine in world.together.living()
    )


def _beyond(world: World) -> None:
    """What is in flight arrives later than the protocol assumes."""
    together = world.together
    late = 2 * world.timing.settle
    together.flights = tuple(replace(f, at=f.at + late) for f in together.flights)


def _second(world: World) -> None:
    """The Lease changes hands: another process leads, and the former does not know it yet."""
    former = world.processes[0]
    other = Process("b" if former.name == "a" else "a")
    world.processes.append(other)
    for uid in world.cluster.bodies:
        other.wake(world, uid)


def _find_closed(world: World) -> None:
    """v1 is closed, which another resource of the same key finds out first."""
    world.together.retired = True
    for process in world.processes:
        process.closed.add("K1")


def _change(hardware: str) -> tuple[Callable[[World], None], Callable[[World], bool]]:
    """A person asks for other hardware, which a replacement brings."""

    def may(world: World) -> bool:
        body = world.body
        return body is not None and not body.deleting and body.spec.hardware != hardware

    return (lambda world: world.edit(hardware=hardware)), may


def _next_one(world: World) -> Unit | None:
    """What is to take another's place, if it is there and has not failed."""
    entries = () if world.body is None else world.body.status.deployments
    units = world.together.deployments
    found = (units[entry.id] for entry in entries if entry.role == Role.NEXT)
    return next((unit for unit in found if unit.alive and unit.state != "FAILED"), None)


def _fail_next(world: World) -> None:
    unit = _next_one(world)
    assert unit is not None
    unit.state, unit.since = "FAILED", world.now


def _fill(world: World) -> None:
    world.together.full = True


_OWN_EVENTS = {
    "other hardware": _change(OTHER),
    "yet other hardware": _change("4x_gpu"),
    "taken back": _change(HARDWARE),
    "the next one fails": (_fail_next, lambda world: _next_one(world) is not None),
    "no more capacity": (_fill, lambda world: not world.together.full),
    "another finds v1 closed": (_find_closed, lambda world: not world.together.retired),
    "backup restored": (_backup, lambda world: world.body is not None and world.body.held),
    "original lost": (_lose, lambda world: COPY in world.cluster.bodies and world.body is not None),
    "the CRD is removed": (_undefine, _told_apart),
    "rebuilt from a backup": (
        _rebuild,
        lambda world: (
            world.body is not None
            and world.body.status.endpoint_id is not None
            and COPY not in world.cluster.bodies
        ),
    ),
    "false 404 to a GET": (_hide, lambda world: not world.together.hiding),
    "a LIST without anything": (_omit, _listed),
    "beyond the bound": (_beyond, lambda world: bool(world.together.flights)),
    LEASE: (_second, lambda world: len(world.processes) == 1),
}
"""Events besides those that the drawn stories know."""


def may_happen(world: World, name: str) -> bool:
    """Whether an event can happen now."""
    if name in _OWN_EVENTS:
        return bool(_OWN_EVENTS[name][1](world))
    return HAPPENINGS[name].may(world)


def happen(world: World, name: str) -> None:
    """Have an event happen."""
    if name in _OWN_EVENTS:
        _OWN_EVENTS[name][0](world)
    else:
        HAPPENINGS[name].run(world)
