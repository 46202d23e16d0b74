"""The judge of what leaves for API v2: deployments, their bounds, and the traffic between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from together_operator.core.marker import owner_tag
from together_operator.core.steps import Delete, Deploy, Route, Start, Stop, Undeploy, Update, Write
from together_operator.resource.endpoint_status import Role
from together_operator.resource.remote import Phase
from together_operator.resource.spec import Api, DeletionPolicy, OnMissing, State

from .cluster_model import Body
from .declared import policy_of, stays, uprooted
from .deployments_model import Unit, version, within
from .judge import Judge, Violation

if TYPE_CHECKING:
    from .together_model import Machine
    from .work_model import Thought
    from .world import World


def deploys(judge: Judge, world: World, thought: Thought, step: Deploy) -> None:
    """A POST of a deployment leaves."""
    judge.remote_writes += 1
    body, together = thought.body, world.together
    if body.spec.suspend or body.deleting:
        raise Violation("A deployment is ordered while suspended, or while being deleted")
    if world.cluster.copies.get(body.uid) != step.credential:
        raise Violation("Rule 1: a deployment is ordered without a key copy")
    if world.forbidden is not None:
        raise Violation("A deployment is ordered against the operator's guards")
    if step.order.started:
        raise Violation("Rule 16: a deployment is ordered that would run at once")
    if step.name.partition("-")[0] != thought.case.desired.immutable:
        raise Violation(f"A deployment is ordered as {step.name}, which is another one's name")
    machine = together.machines.get(step.endpoint_id)
    if machine is not None and machine.owner != owner_tag(body.uid):
        raise Violation(f"I3: a deployment is ordered in {machine.id}, which is not ours")
    if len(world.processes) != 1:
        return
    operation = body.status.operation
    if operation is None or operation.deploying != step.name:
        raise Violation("Rule 1: a deployment is ordered without a record")
    flying = [f for f in together.flights if f.verb == "deploy" and f.deployment == step.name]
    made = [u for u in within(together, step.endpoint_id) if u.name == step.name]
    if judge.bounded and (flying or made):
        raise Violation("Rule 7: a deployment is ordered again, and it may be there")


def rearranges(judge: Judge, world: World, thought: Thought, step: Write) -> None:
    """A PATCH or DELETE of something of API v2 leaves: I3, I8, G3, and suspend."""
    judge.remote_writes += 1
    body, together = thought.body, world.together
    tag, name = owner_tag(body.uid), type(step).__name__
    machine = together.machines[step.endpoint_id]
    if machine.owner != tag and (body.uid, machine.id) not in judge.granted:
        raise Violation(f"I3: {name} to {machine.id}, which is not ours")
    if body.spec.suspend:
        raise Violation(f"{name} while suspended")
    match step:
        case Delete():
            judge.deletes_endpoint(world, body, step)
        case Route():
            _routes(judge, world, thought, machine, step)
        case Update() | Start() | Stop() | Undeploy():
            unit = together.deployments.get(step.deployment_id or "")
            if unit is None or unit.owner != tag:
                raise Violation(f"I3: {name} to {step.deployment_id}, which is not ours")
            seen = thought.case.endpoint
            known = seen.deployment(unit.id) if seen is not None else None
            runs = known is not None and known.phase in (Phase.STARTING, Phase.STARTED)
            if isinstance(step, Undeploy) and runs:
                raise Violation(f"{unit.id} is deleted before it has stopped")
            _handles(judge, world, body, unit, step)


def _routes(judge: Judge, world: World, thought: Thought, machine: Machine, step: Route) -> None:
    """Only our own entries of the traffic are ours, and it goes to what is known to serve."""
    body = thought.body
    if step.version is None:
        raise Violation("A write of the traffic without the version that it was decided on")
    if step.version != version(machine):
        return  # it has changed since, so that it is refused
    ours = {u.id for u in world.together.deployments.values() if u.owner == owner_tag(body.uid)}
    before = {w for w in machine.traffic if w.deployment_id not in ours}
    after = {w for w in step.traffic if w.deployment_id not in ours}
    if before != after:
        raise Violation(f"I3: {before} of a person's traffic would become {after}")
    ready = {u.id for u in world.units(body.uid) if u.state == "READY"}
    served = {w.deployment_id for w in machine.traffic if w.weight > 0} & ready
    serve = {w.deployment_id for w in step.traffic if w.weight > 0} & ours
    seen = thought.case.endpoint
    shown = () if seen is None else seen.deployments or ()
    started = {d.id for d in shown if d.phase is Phase.STARTED}
    if served and not serve <= started:
        raise Violation(f"The traffic of {served} would go to {serve}, of which not all serve")
    following = {d.id for d in body.status.deployments if d.role == Role.NEXT}
    if served and (serve - served) & following - judge.tried:
        raise Violation(f"The traffic of {served} would go to {serve}, which nobody has tried")
    if served and not serve and stays(world, body):
        raise Violation(f"The traffic of {served} would go to nobody")


def _handles(
    judge: Judge, world: World, body: Body, unit: Unit, step: Update | Start | Stop | Undeploy
) -> None:
    entries = {entry.id: entry.role for entry in body.status.deployments}
    former = entries.get(unit.id) != Role.CURRENT
    known = world.cluster.get(body.uid)
    match step:
        case Start():
            role = entries.get(unit.id)
            if role not in (Role.CURRENT, Role.NEXT):
                raise Violation(f"I1: {unit.id} is started and is not on record")
            moves = body.spec.api is Api.V2 and owner_tag(body.uid) in judge.moving
            if role == Role.NEXT or moves or _replaces(judge, world, body, unit):
                judge.licences.add(body.uid)
            # Another process may have been faster: to start what runs is no start.
            if not (unit.runs and len(world.processes) > 1):
                judge.starts(world, body)
        case Stop() | Undeploy():
            going = known is None or known.deleting or former
            going = going or judge.given_up(known, body)
            if isinstance(step, Undeploy):
                judge.deletes.append(unit.id)
            elif body.spec.state is State.STOPPED:
                return
            if not going:
                raise Violation(f"G3: {type(step).__name__} to {unit.id}, which is to serve")
            if body.deleting and uprooted(world, body):
                raise Violation(f"{type(step).__name__} along with the CRD")
            if body.deleting and policy_of(world, body) is DeletionPolicy.RETAIN and not former:
                raise Violation(f"{type(step).__name__} under Retain")
            traffic = world.together.machines[unit.endpoint_id].traffic
            routed = any(w.deployment_id == unit.id and w.weight > 0 for w in traffic)
            if routed and stays(world, body) and unit.state == "READY":
                raise Violation(f"{type(step).__name__} to {unit.id}, which has the traffic")
        case Update(change=change):
            if entries.get(unit.id) not in (Role.CURRENT, Role.NEXT) or body.deleting:
                raise Violation(f"{unit.id} is changed and is not to serve")
            bounds = change.bounds
            if bounds is None:
                return
            if bounds != body.desired().bounds or body.spec.state is State.STOPPED:
                raise Violation(f"I8: bounds {bounds} that the resource does not ask for")
            more = bounds.min > unit.bounds.min or bounds.max > unit.bounds.max
            if more and world.cluster.key is None:
                raise Violation("A raise without the person's key")
            halted = unit.state in ("STOPPING", "STOPPED", "FAILED")
            if halted and world.now > unit.since + world.timing.fence:
                raise Violation(f"I8: {unit.id} is scaled, which has stopped")


def _replaces(judge: Judge, world: World, body: Body, unit: Unit) -> bool:
    """Whether a deployment takes the place of one that ran and has vanished, as is asked."""
    if body.spec.on_missing is not OnMissing.RECREATE:
        return False
    halted = ("", "STOPPING", "STOPPED", "FAILED", "ERROR")
    others = [one for one in world.together.things() if one.owner == unit.owner]
    return any(not one.alive and one.state not in halted for one in others)
