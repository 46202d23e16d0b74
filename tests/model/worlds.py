"""The small worlds in which the mixes begin."""

from __future__ import annotations

from dataclasses import replace

from tests.core.process_model import Process
from tests.core.work_model import Pace
from tests.core.world import UID, World
from together_operator.core.timing import Timing
from together_operator.resource.spec import State

from .canon import NOW, settle
from .events import OTHER

TIMING = Timing(
    fence=1.0,
    post_timeout=1.0,
    late=1.0,
    lag=1.0,
    scan_gap=1.0,
    grace=3.0,
    drift=1e9,
    probe=1.0,
    repeat=1.0,
    queue=1e9,
    retry=(1.0, 2.0),
)
"""One tick for each of A, T, L, G and the gap of two scans; so W is four."""

PACE = Pace(moving=1.0, resting=2.0, failing=2.0, kube=1.0, key=2.0)
LIFE = {
    "PENDING": ("STARTED", 1.0),
    "STARTING": ("STARTED", 1.0),
    "STOPPING": ("STOPPED", 1.0),
    "PROVISIONING": ("READY", 1.0),
}


def a_world(operators: int = 1, *, lag: float = 1.0, unlist: float = 0.0, **spec: object) -> World:
    """A small world in which somebody has just applied a resource.

    Args:
        operators: How many processes work, without any Lease.
        lag: For how long LISTs do not show a new endpoint, in ticks.
        unlist: For how long LISTs still show a deleted one, in ticks.
        **spec: What the resource asks for.
    """
    world = World(now=NOW, timing=TIMING, pace=PACE, probes=False)
    world.together.life = LIFE
    world.lag, world.together.unlist = lag, unlist
    names = "ab"[:operators]
    applied = World.with_resource(**spec)
    body = world.cluster.add("mixtral", UID, applied.cluster.bodies[UID].spec, NOW)
    if body.spec.state is State.STARTED:
        world.judge.licences.add(UID)
    world.processes = [Process(name) for name in names]
    world.wake(UID)
    settle(world)
    return world


def serving(**wishes: object) -> World:
    """The same, some time later: the endpoint serves."""
    world = a_world(**wishes)  # type: ignore[arg-type]
    for _ in range(12):
        world.work()
        world.pass_time(1.0)
    world.work()
    settle(world)
    return world


def made_by_hand() -> World:
    """A small world in which a resource is to take over what a person has made."""
    world = a_world(adopt={"endpoint_id": "endpoint-1"})
    world.by_hand("by hand")
    world.together.pass_to(world.now + 10)
    settle(world)
    return world


def second(operators: int = 1, **wishes: object) -> World:
    """A small world whose resource asks for API v2."""
    return a_world(operators, api="V2", **wishes)  # type: ignore[arg-type]


def serving_second(**wishes: object) -> World:
    """The same, some time later: a deployment serves."""
    return serving(api="V2", **wishes)


def swapping(**wishes: object) -> World:
    """A small world in which what serves is to be replaced, for which it has eight ticks."""
    world = serving(api="V2", replacement="Swap", **wishes)
    told = replace(world.timing, replacement=8.0, replacement_told=8.0)
    world.timing = told
    world.edit(hardware=OTHER)
    settle(world)
    return world


def closed() -> World:
    """A small world in which v1 has been closed to the account."""
    world = a_world()
    world.together.retired = True
    settle(world)
    return world
