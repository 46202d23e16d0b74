"""Worlds in which many tests begin: it serves, or an attempt is under way."""

from __future__ import annotations

from together_operator.core.steps import Create
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Order

from .world import World


def serving(**wishes: object) -> World:
    """A world in which the endpoint serves."""
    world = World.with_resource(**wishes)
    world.run(200)
    assert world.reason() == Reason.SERVING
    return world


def order_of(world: World, label: str = "nothing") -> Order:
    """Go on to a POST that turns out in a certain way; what it asked for."""
    step = world.meet(Create, label).decision.step
    assert isinstance(step, Create)
    return step.order


def two_attempts() -> tuple[World, Order]:
    """It serves, and the first of two attempts may come beyond its bound; what it asked for."""
    world = World.with_resource()
    world.judge.bounded = False
    order = order_of(world)
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert len(world.operation.open) == 1
    return world, order
