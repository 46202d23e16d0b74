"""Writes of one process to an endpoint of API v2, and the ways in which each can turn out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from together_operator.core.learning import Outcome
from together_operator.core.steps import Delete, Deploy, Route, Start, Stop, Undeploy, Update, Write
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Change,
    Done,
    NotSent,
    Order,
    Refused,
    Unavailable,
    Weight,
)

from . import deployments_model as second
from .judge_v2 import deploys, rearranges
from .together_model import BAD_HARDWARE, Flight, Machine

if TYPE_CHECKING:
    from .work_model import Thought
    from .world import World

_LOST = Unavailable(Reason.UNREACHABLE, "The answer was lost")


def rearrange(world: World, thought: Thought, step: Deploy | Write, label: str) -> Outcome:
    """Send a write to an endpoint, or to a deployment of one."""
    if isinstance(step, Deploy):
        return _deploy(world, thought, step, label)
    together = world.together
    rearranges(world.judge, world, thought, step)
    early = _refusal(world, step, label)
    if early is not None:
        return early
    machine = together.machines.get(step.endpoint_id)
    if label == "absent" or machine is None or not _there(world, step, machine):
        return Absent()
    if label in ("late", "kill-late"):
        at = world.now + world.timing.post_timeout + world.timing.late
        verb, what, version = _told(step)
        deployment = None if isinstance(step, Delete | Route) else step.deployment_id
        project = together.projects[step.credential]
        flight = Flight(at, verb, project, what, machine.id, 0.0, deployment, version)
        together.fly(flight)
        return _LOST
    outcome = None if label == "nothing" else _carry_out(world, step, machine)
    if outcome is None or (label != "ok" and isinstance(outcome, Done)):
        return _LOST
    return outcome


def _there(world: World, step: Deploy | Write, machine: Machine) -> bool:
    """Whether the key sees what the write is about."""
    together = world.together
    if not machine.alive or machine.project != together.projects[step.credential]:
        return False
    if isinstance(step, Delete | Deploy | Route):
        return True
    unit = together.deployments.get(step.deployment_id or "")
    return unit is not None and unit.alive and unit.endpoint_id == machine.id


def _refusal(world: World, step: Deploy | Write, label: str) -> Refused | Unavailable | None:
    refusal = world.together.refusal(step.credential, None)
    if refusal is not None:
        return refusal
    if world.together.down:
        return Unavailable(Reason.UNREACHABLE, "Together cannot be reached")
    if label == "refused":
        return Refused(Reason.UPDATING, "Not now", retryable=True)
    if label == "refused-for-good":
        return Refused(Reason.INVALID_REQUEST, "The request is not valid")
    return None


def _told(
    step: Deploy | Write,
) -> tuple[str, Change | Order | tuple[Weight, ...] | None, str | None]:
    """What a write says, so that it can be on its way."""
    match step:
        case Update(change=change):
            return "update", change, None
        case Start(order=order):
            return "start", order, None
        case Route(traffic=traffic, version=version):
            return "route", traffic, version
        case _:
            return type(step).__name__.lower(), None, None


def _carry_out(world: World, step: Deploy | Write, machine: Machine) -> Done | Refused:
    """The effect, where the order of things allows it."""
    together, now = world.together, world.now
    match step:
        case Delete():
            if second.within(together, machine.id):
                return Refused(Reason.UPDATING, "It has deployments", retryable=True)
            together.remove(machine.id, now)
            return Done()
        case Route(traffic=traffic, version=version):
            if not second.route(together, machine, traffic, version):
                return Refused(Reason.UPDATING, "It has changed since", retryable=True)
            return Done(together.show(machine))
    assert not isinstance(step, Deploy)
    unit = together.deployments[step.deployment_id or ""]
    match step:
        case Undeploy():
            kept = second.keeps(together, unit)
            if kept is not None:
                return Refused(Reason.UPDATING, kept, retryable=True)
            unit.gone_at = now
            return Done()
        case Start(order=order):
            if second.unstartable(unit, order.bounds):
                return Refused(Reason.STARTING, f"It is {unit.state}", retryable=True)
            second.scale(unit, order.bounds, now)
        case Stop():
            second.scale(unit, second.NONE, now)
        case Update(change=change):
            if change.bounds is not None and second.unstartable(unit, change.bounds):
                return Refused(Reason.UPDATING, f"It is {unit.state}", retryable=True)
            second.change(unit, change, now)
    return Done(deployment=second.shown(together, unit))


def _deploy(world: World, thought: Thought, step: Deploy, label: str) -> Outcome:
    """Order a deployment under the name that is on record."""
    together, draft = world.together, thought.case.memory.draft
    if label == "paused":
        world.pass_time(world.timing.fence + 1.0)
    if draft is not None and world.now - draft.began > world.timing.fence:
        return NotSent("The record is no longer fresh")
    if together.down or label in ("unsent", "down"):
        return NotSent("Together cannot be reached")
    refusal = together.refusal(step.credential, None)
    if refusal is not None:
        return refusal
    if step.order.hardware == BAD_HARDWARE:
        return Refused(Reason.INVALID_HARDWARE, "There is no such hardware")
    if label == "refused":
        return Refused(Reason.WAITING_FOR_CAPACITY, "No capacity now", retryable=True)
    if label == "refused-for-good":
        return Refused(Reason.INVALID_REQUEST, "The request is not valid")
    deploys(world.judge, world, thought, step)
    machine = together.machines.get(step.endpoint_id)
    if label == "absent" or machine is None or not _there(world, step, machine):
        return Absent()
    if second.title_taken(together, machine, step.name):
        return Refused(Reason.NAME_TAKEN, f"There is a deployment {step.name} already")
    order = _stopped(step.order)
    if label in ("late", "kill-late"):
        at = world.now + world.timing.late
        if label == "kill-late":
            at += world.timing.post_timeout
        project = together.projects[step.credential]
        together.fly(Flight(at, "deploy", project, order, machine.id, world.lag, step.name))
    elif label != "nothing":
        unit = second.make_unit(together, machine, step.name, order, world.now, lag=world.lag)
        world.judge.look(world)
        if label == "ok":
            return Done(deployment=second.shown(together, unit))
    return Ambiguous("The answer was lost")


def _stopped(order: Order) -> Order:
    """A deployment is made stopped, whatever it is to be."""
    if order.started:
        raise AssertionError("A deployment is ordered that would run at once")
    return order
