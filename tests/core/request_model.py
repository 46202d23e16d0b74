"""Requests of one process to Together, and the ways in which each can turn out.

Which way is a label that the test chooses; within a label everything follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from together_operator.core.learning import Outcome
from together_operator.core.steps import (
    Create,
    Delete,
    Deploy,
    Route,
    Start,
    Stop,
    Undeploy,
    Update,
)
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Change,
    Done,
    NotSent,
    Refused,
    Unavailable,
)

from . import deployments_model as second
from .rearranging_model import Write, rearrange
from .together_model import Flight

if TYPE_CHECKING:
    from .work_model import Thought
    from .world import World


def probe(world: World, key: str, name: str) -> Done | Refused | Unavailable:
    trouble = world.together.trouble(key)
    if trouble is not None:
        return trouble
    together = world.together
    for machine in together.living():
        shown = together.show(machine).name
        units = second.within(together, machine.id)
        tried = [u for u in units if f"{shown}/{u.name}" == name and u.state == "READY"]
        world.judge.tried.update(unit.id for unit in tried)
        if tried:
            return Done()
        if shown != name:
            continue
        routed = [together.deployments[w.deployment_id] for w in machine.traffic if w.weight > 0]
        if machine.state == "STARTED" or any(u.state == "READY" and u.alive for u in routed):
            return Done()
    return Refused(Reason.PROBING, f"{name} does not answer yet", retryable=True)


def create(world: World, thought: Thought, step: Create, label: str) -> Outcome:
    together, fence = world.together, thought.case.memory.fence
    if label == "paused":
        world.pass_time(world.timing.fence + 1.0)
    if fence is None or world.now - fence.began > world.timing.fence:
        return NotSent("The record is no longer fresh")
    refusal = together.refusal(step.credential, step.order)
    if refusal is not None:
        return refusal
    if together.down or label in ("unsent", "down"):
        return NotSent("Together cannot be reached")
    if label == "refused":
        return Refused(Reason.WAITING_FOR_CAPACITY, "No capacity now", retryable=True)
    if label == "refused-for-good":
        return Refused(Reason.INVALID_REQUEST, "The request is not valid")
    world.judge.posts(world, thought, step)
    project = together.projects[step.credential]
    name = step.order.endpoint_name
    if name and second.taken(together, project, name):
        if label in ("ok", "flying"):
            return Refused(Reason.NAME_TAKEN, f"There is an endpoint {name} already")
        return Ambiguous("The answer was lost")
    if label in ("late", "kill-late", "slow-late", "flying-late"):
        if label == "slow-late":
            world.pass_time(world.timing.post_timeout)
        at = world.now + world.timing.late
        if label in ("kill-late", "flying-late"):
            at += world.timing.post_timeout
        together.fly(Flight(at, "create", project, step.order, lag=world.lag))
    elif label not in ("nothing", "slow-nothing"):
        make = second.make_endpoint if name else type(together).make
        machine = make(together, step.order, project, world.now, lag=world.lag)
        world.judge.look(world)
        if label in ("ok", "flying"):
            return Done(together.show(machine))
    if label in ("slow-lost", "slow-nothing"):
        world.pass_time(world.timing.post_timeout)
    return Ambiguous("The answer was lost")


def change(world: World, thought: Thought, step: Write, label: str) -> Outcome:
    together = world.together
    if thought.case.observed.deploys:
        return rearrange(world, thought, step, label)
    assert not isinstance(step, Deploy | Undeploy | Route)
    world.judge.changes(world, thought, step)
    refusal = together.refusal(step.credential, None)
    if refusal is not None:
        return refusal
    if together.down:
        return Unavailable(Reason.UNREACHABLE, "Together cannot be reached")
    if label == "refused":
        return Refused(Reason.UPDATING, "Not now", retryable=True)
    if label == "refused-for-good":
        return Refused(Reason.INVALID_REQUEST, "The request is not valid")
    machine = together.machines.get(step.endpoint_id)
    project = together.projects[step.credential]
    if label == "absent" or machine is None or not machine.alive or machine.project != project:
        return Absent()
    if isinstance(step, Start) and together.retired:
        return Refused(Reason.V1_CLOSED, "v1 is closed for restart")
    if isinstance(step, Start) and machine.state == "STOPPING":
        return Refused(Reason.STARTING, "It is stopping", retryable=True)
    verb, what = _verb(step)
    if label in ("late", "kill-late"):
        at = world.now + world.timing.post_timeout + world.timing.late
        together.fly(Flight(at, verb, project, what, machine.id))
    elif label != "nothing":
        if verb == "delete":
            together.remove(machine.id, world.now)
        elif what is not None:
            together.change(machine.id, what)
        else:
            together.set_state(machine.id, verb, world.now)
        if label == "ok":
            return Done() if verb == "delete" else Done(together.show(machine))
    return Unavailable(Reason.UNREACHABLE, "The answer was lost")


def _verb(step: Update | Start | Stop | Delete) -> tuple[str, Change | None]:
    match step:
        case Update(change=change):
            return "update", change
        case Start():
            return "start", None
        case Stop():
            return "stop", None
        case Delete():
            return "delete", None
