"""The judge: it sees what is true, and says which promise was broken.

It judges by the ledger of what happened at Together and by what a person sees in the cluster,
never by what the operator believes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from together_operator.core.marker import Marker, cluster_tag, owner_tag
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
from together_operator.resource.endpoint_status import MigrationPhase, Role
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import Bounds, Order, Phase
from together_operator.resource.spec import Api, DeletionPolicy, OnMissing, Replacement, State
from together_operator.resource.status import Status

from .account_model import CLUSTER
from .cloning import copy
from .cluster_model import Body
from .deployments_model import Unit, version, within

if TYPE_CHECKING:
    from .process_model import Thought
    from .together_model import Machine
    from .world import World


Rearrangement = Update | Start | Stop | Delete | Undeploy | Route


class Violation(AssertionError):  # noqa: N818 (it tells what happened)
    """A promise was broken."""


@dataclass(slots=True)
class Judge:
    """What has happened, as far as a verdict needs it.

    Attributes:
        remote_writes: How many requests to change something were sent to Together.
        licences: Resources that a person has asked to be started since they last ran.
        granted: Endpoints that a person said belong to a resource.
        replacing: Owners (as marks name them) that have declared a replacement.
        moving: Owners (as marks name them) that have declared a move from API v1 to v2.
        confirmed: Owners (as marks name them) that have said that the endpoint of v1 may go.
        strangers: Deployments that a person made, with the bounds that a person gave them.
        tried: Deployments that have answered by their own name.
        deletes: The endpoints to which a DELETE was sent.
        unasked: Copies whose original is gone, before a person has said what is to be done.
        departed: Owners (as marks name them) that promised to leave nothing behind.
        bounded: Whether the world keeps to what the protocol assumes.
    """

    remote_writes: int = 0
    creates: int = 0
    licences: set[str] = field(default_factory=set)
    granted: set[tuple[str, str]] = field(default_factory=set)
    strangers: dict[str, Bounds] = field(default_factory=dict)
    replacing: set[str] = field(default_factory=set)
    tried: set[str] = field(default_factory=set)
    moving: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)
    deletes: list[str] = field(default_factory=list)
    unasked: set[str] = field(default_factory=set)
    departed: set[str] = field(default_factory=set)
    bounded: bool = True

    # -- what is true at Together ----------------------------------------------------------------

    def look(self, world: World) -> None:
        """I1: never two living endpoints, or running deployments, on behalf of one resource."""
        together = world.together
        for stranger, bounds in self.strangers.items():
            unit = together.deployments[stranger]
            if not unit.alive or unit.bounds != bounds:
                raise Violation(f"I3: {stranger}, which a person made, was touched")
        if not self.bounded:
            return
        for body in world.cluster.bodies.values():
            self._declares(world, body)
        living = [(m.owner, m.api) for m in together.living() if m.owner is not None]
        owners = [owner for owner, _ in living]
        for owner, api in living:
            apart = owner in self.moving and living.count((owner, api)) == 1
            if owners.count(owner) > 1 and not apart:
                raise Violation(f"I1: {owners.count(owner)} living endpoints of {owner}")
            if owner in self.departed:
                raise Violation(f"G2: an endpoint of {owner} came to life after it had gone")
        running = [one.owner for one in together.running() if one.owner is not None]
        for owner in running:
            if running.count(owner) > 1 + (owner in self.replacing) + (owner in self.moving):
                raise Violation(f"I1: {running.count(owner)} of {owner} run")
            if owner in self.departed:
                raise Violation(f"G2: a deployment of {owner} came to life after it had gone")

    def _declares(self, world: World, body: Body) -> None:
        """What a person has said about there being two for a while."""
        tag, migration = owner_tag(body.uid), body.spec.migration
        if body.spec.replacement is Replacement.SWAP and _changed(world, body):
            self.replacing.add(tag)
        if body.spec.api is Api.V2 and body.status.api == Api.V1:
            self.moving.add(tag)
        if tag in self.moving and body.spec.api is Api.V2 and migration and migration.confirm:
            self.confirmed.add(tag)

    def posts(self, world: World, thought: Thought, step: Create) -> None:
        """A POST leaves."""
        self.remote_writes += 1
        self.creates += 1
        body = thought.body
        if body.spec.suspend:
            raise Violation("A POST while suspended")
        if body.deleting:
            raise Violation("A POST for a resource that is being deleted")
        if not body.held:
            raise Violation("Rule 1: a POST without a finalizer")
        if world.cluster.copies.get(body.uid) != step.credential:
            raise Violation("Rule 1: a POST without a key copy")
        known = world.cluster.get(body.uid)
        if known is not None and known.uid == body.uid and len(world.processes) == 1:
            operation = _same(known, body).operation
            wiped = operation is None
            if not wiped and operation is not None and operation.nonce != step.nonce:
                raise Violation("Rule 1: a POST without a record")
        if Marker.parse(step.order.display_name) is None:
            raise Violation("Rule 2: a POST without the mark")
        if body.uid in self.unasked:
            raise Violation("Rule 14: a restored copy orders an endpoint, and nobody was asked")
        second = bool(step.order.endpoint_name)
        if step.order.started is not (body.spec.state is State.STARTED and not second):
            raise Violation("Rule 16: an order that is not as it was asked")
        if world.forbidden is not None:
            raise Violation("A POST against the operator's guards")
        if body.spec.adopt is not None:
            self._posts_beside(world, body)

    # -- what leaves for API v2 ------------------------------------------------------------------

    def deploys(self, world: World, thought: Thought, step: Deploy) -> None:
        """A POST of a deployment leaves."""
        self.remote_writes += 1
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
        if not self._alone(world):
            return
        operation = body.status.operation
        if operation is None or operation.deploying != step.name:
            raise Violation("Rule 1: a deployment is ordered without a record")
        flying = [f for f in together.flights if f.verb == "deploy" and f.deployment == step.name]
        made = [u for u in within(together, step.endpoint_id) if u.name == step.name]
        if self.bounded and (flying or made):
            raise Violation("Rule 7: a deployment is ordered again, and it may be there")

    def rearranges(self, world: World, thought: Thought, step: Rearrangement) -> None:
        """A PATCH or DELETE of something of API v2 leaves: I3, I8, G3, and suspend."""
        self.remote_writes += 1
        body, together = thought.body, world.together
        tag, name = owner_tag(body.uid), type(step).__name__
        machine = together.machines[step.endpoint_id]
        if machine.owner != tag and (body.uid, machine.id) not in self.granted:
            raise Violation(f"I3: {name} to {machine.id}, which is not ours")
        if body.spec.suspend:
            raise Violation(f"{name} while suspended")
        match step:
            case Delete():
                self._deletes(world, body, step)
            case Route():
                self._routes(world, thought, machine, step)
            case Update() | Start() | Stop() | Undeploy():
                unit = together.deployments.get(step.deployment_id or "")
                if unit is None or unit.owner != tag:
                    raise Violation(f"I3: {name} to {step.deployment_id}, which is not ours")
                seen = thought.case.endpoint
                known = seen.deployment(unit.id) if seen is not None else None
                runs = known is not None and known.phase in (Phase.STARTING, Phase.STARTED)
                if isinstance(step, Undeploy) and runs:
                    raise Violation(f"{unit.id} is deleted before it has stopped")
                self._handles(world, body, unit, step)

    def _routes(self, world: World, thought: Thought, machine: Machine, step: Route) -> None:
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
        if served and (serve - served) & following - self.tried:
            raise Violation(f"The traffic of {served} would go to {serve}, which nobody has tried")
        if served and not serve and _stays(world, body):
            raise Violation(f"The traffic of {served} would go to nobody")

    def _handles(
        self, world: World, body: Body, unit: Unit, step: Update | Start | Stop | Undeploy
    ) -> None:
        entries = {entry.id: entry.role for entry in body.status.deployments}
        former = entries.get(unit.id) != Role.CURRENT
        known = world.cluster.get(body.uid)
        match step:
            case Start():
                role = entries.get(unit.id)
                if role not in (Role.CURRENT, Role.NEXT):
                    raise Violation(f"I1: {unit.id} is started and is not on record")
                moves = body.spec.api is Api.V2 and owner_tag(body.uid) in self.moving
                if role == Role.NEXT or moves or self._replaces(world, body, unit):
                    self.licences.add(body.uid)
                self._starts(world, body)
            case Stop() | Undeploy():
                going = known is None or known.deleting or former
                going = going or self._leaves(known, body)
                if isinstance(step, Undeploy):
                    self.deletes.append(unit.id)
                elif body.spec.state is State.STOPPED:
                    return
                if not going:
                    raise Violation(f"G3: {type(step).__name__} to {unit.id}, which is to serve")
                if body.deleting and uprooted(world, body):
                    raise Violation(f"{type(step).__name__} along with the CRD")
                if body.deleting and _policy(world, body) is DeletionPolicy.RETAIN and not former:
                    raise Violation(f"{type(step).__name__} under Retain")
                traffic = world.together.machines[unit.endpoint_id].traffic
                routed = any(w.deployment_id == unit.id and w.weight > 0 for w in traffic)
                if routed and _stays(world, body) and unit.state == "READY":
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

    def _replaces(self, world: World, body: Body, unit: Unit) -> bool:
        """Whether a deployment takes the place of one that ran and has vanished, as is asked."""
        if body.spec.on_missing is not OnMissing.RECREATE:
            return False
        halted = ("", "STOPPING", "STOPPED", "FAILED", "ERROR")
        others = [one for one in world.together.things() if one.owner == unit.owner]
        return any(not one.alive and one.state not in halted for one in others)

    def _alone(self, world: World) -> bool:
        return len(world.processes) == 1

    # -- what leaves for either ------------------------------------------------------------------

    def _posts_beside(self, world: World, body: Body) -> None:
        """A resource that takes over an endpoint orders one only in the place of what has gone."""
        adopt = body.spec.adopt
        if body.spec.on_missing is not OnMissing.RECREATE or not body.status.adopted:
            raise Violation("A POST for a resource that takes over an endpoint")
        machine = world.together.machines.get(adopt.endpoint_id if adopt else "")
        if machine is not None and machine.alive and self.bounded:
            raise Violation(f"I1: a POST beside {machine.id}, which was taken over")

    def changes(self, world: World, thought: Thought, step: Update | Start | Stop | Delete) -> None:
        """A PATCH or DELETE leaves: I3, I8, G3, and suspend."""
        self.remote_writes += 1
        body = thought.body
        machine = world.together.machines[step.endpoint_id]
        ours = machine.owner == owner_tag(body.uid) or (body.uid, machine.id) in self.granted
        if not ours and not self._taken_over(world, body, machine):
            raise Violation(f"I3: {type(step).__name__} to {machine.id}, which is not ours")
        if body.spec.suspend:
            raise Violation(f"{type(step).__name__} while suspended")
        match step:
            case Delete():
                self._deletes(world, body, step)
            case Start():
                self._starts(world, body)
            case Stop():
                wanted = body.spec.state is State.STOPPED
                wanted = wanted or self._leaves(world.cluster.get(body.uid), body)
                if not wanted and not (
                    body.deleting and _policy(world, body) is DeletionPolicy.STOP
                ):
                    raise Violation("A stop that nobody asked for")
            case Update(change=change):
                if body.deleting:
                    raise Violation("An update of an endpoint whose resource is being deleted")
                bounds = change.bounds
                if change.display_name and Marker.parse(change.display_name) is None:
                    raise Violation("Rule 2: a rename without the mark")
                if bounds is not None and bounds != body.desired().bounds:
                    raise Violation(f"I8: bounds {bounds} that the resource does not ask for")
                if bounds is not None and world.cluster.key is None:
                    now = machine.bounds
                    if bounds.min > now.min or bounds.max > now.max:
                        raise Violation("A raise without the person's key")

    def _taken_over(self, world: World, body: Body, machine: Machine) -> bool:
        """Whether a record binds an endpoint to the resource that asked for it, and to no other."""
        others = [b for b in world.cluster.bodies.values() if b.uid != body.uid]
        if machine.id not in body.holding or not body.status.adopted:
            return False
        if any(machine.id in other.holding for other in others):
            raise Violation(f"I3: {machine.id} is on record twice")
        mark = Marker.parse(machine.display_name)
        if mark is None:
            return True
        foreign = mark.cluster != cluster_tag(CLUSTER)
        if foreign or any(mark.owner == owner_tag(other.uid) for other in others):
            raise Violation(f"I3: {machine.id} carries the mark {mark}")
        return True

    def _deletes(self, world: World, body: Body, step: Delete) -> None:
        self.deletes.append(step.endpoint_id)
        operation = body.status.operation
        removing = operation.removing if operation is not None else ()
        if step.endpoint_id not in (body.status.endpoint_id, *removing):
            raise Violation(f"G3: {step.endpoint_id} is deleted and is not on record")
        known = world.cluster.get(body.uid)
        if known is None or known.deleting:
            policy = _policy(world, body)
            if policy is not DeletionPolicy.DELETE and body.status.endpoint_id == step.endpoint_id:
                raise Violation(f"A DELETE under {policy}")
            return
        operation = known.status.operation
        ours = operation is not None and operation.uid == body.uid
        if body.deleting and not self._leaves(known, body):
            raise Violation(f"G3: {step.endpoint_id} is given up, and nobody has said so")
        if ours and known.status.endpoint_id == step.endpoint_id:
            raise Violation("G3: the recorded endpoint is deleted while its resource lives")

    def _leaves(self, known: Body | None, body: Body) -> bool:
        """Whether an endpoint is the one of two that a person has given up."""
        migration = known.status.migration if known is not None else None
        if known is None or migration is None or migration.phase != MigrationPhase.LEAVING:
            return False
        if migration.endpoint_id != body.status.endpoint_id:
            return False
        if migration.api == Api.V1:
            return owner_tag(body.uid) in self.confirmed or not self.bounded
        return True

    def leaves_behind(self, world: World, uid: str, endpoint_id: str) -> None:
        """A DELETE leaves for what came late in v1: only ever of a resource that is in v2."""
        self.remote_writes += 1
        body = world.cluster.get(uid)
        if world.together.machines[endpoint_id].owner != owner_tag(uid):
            raise Violation(f"I3: DELETE to {endpoint_id}, which is not of {uid}")
        if body is not None and body.status.endpoint_id == endpoint_id:
            raise Violation(f"G3: {endpoint_id} is deleted, and is on record")

    def _starts(self, world: World, body: Body) -> None:
        if body.spec.state is not State.STARTED or body.deleting:
            raise Violation("I8: a start that the resource does not ask for")
        if body.uid not in self.licences:
            raise Violation("I8: a start that no person asked for")
        if world.cluster.key is None:
            raise Violation("A start without the person's key")

    # -- what is true in the cluster -------------------------------------------------------------

    def told(self, world: World, body: Body) -> None:
        """A status was written: five conditions, of this generation, that can all be true."""
        status = body.status
        conditions = {c.type: c for c in status.conditions}
        if set(conditions) != set(ConditionType) or len(status.conditions) != len(ConditionType):
            raise Violation(f"Conditions are {sorted(conditions)}")
        generations = {c.observed_generation for c in status.conditions}
        if generations | {status.observed_generation} != {body.generation}:
            raise Violation(f"Conditions speak of generations {generations}")
        reconciling = conditions[ConditionType.RECONCILING].status == "True"
        stalled = conditions[ConditionType.STALLED].status == "True"
        ready = conditions[ConditionType.READY]
        if reconciling and stalled:
            raise Violation("Reconciling and Stalled are both True")
        if ready.status == "True" and (reconciling or stalled):
            raise Violation("Ready is True with work left")
        if ready.status == "True" and status.endpoint_id is None:
            raise Violation("Ready is True without an endpoint")
        ran = world.together.machines.get(status.endpoint_id or "")
        told = status.state in ("STARTED", "READY")
        if told and ran is not None and world.together.word(ran) == "STARTED":
            self.licences.discard(body.uid)
        missing = ready.reason == Reason.REMOTE_MISSING and status.endpoint_id is not None
        if missing and self.bounded:
            machine = world.together.machines.get(status.endpoint_id or "")
            missed = machine is not None and machine.alive and self._serves(world, body, machine)
            if missed and machine is not None and self._visible(world, machine.project):
                raise Violation(f"I5: {machine.id} is called missing and lives")

    def _serves(self, world: World, body: Body, machine: Machine) -> bool:
        """Whether what is on record to serve is there."""
        current = [d.id for d in body.status.deployments if d.role == Role.CURRENT]
        if machine.api is Api.V1 or not current:
            return True
        return world.together.deployments[current[0]].alive

    def _visible(self, world: World, project: str) -> bool:
        key = world.cluster.key
        return key is not None and world.together.projects[key] == project

    def finished(self, world: World, body: Body) -> None:
        """G2: a resource went; nothing is left, and nothing can still land."""
        if not body.deleting or world.rival is not None:
            return
        tag = owner_tag(body.uid)
        release = body.desired().release
        if _policy(world, body) is DeletionPolicy.DELETE and not release:
            self.departed.add(tag)
        if "unresolved" in release or not self.bounded:
            return
        flying = [
            f
            for f in world.together.flights
            if isinstance(f.what, Order)
            and f.verb == "create"
            and (marker := Marker.parse(f.what.display_name)) is not None
            and marker.owner == tag
        ]
        if flying:
            raise Violation("G2: the resource is gone and a POST can still land")
        left = [
            m
            for m in world.together.living()
            if (
                m.owner == tag
                or (body.uid, m.id) in self.granted
                or (body.status.adopted and m.id in body.holding and not _elsewhere(m))
            )
            and m.id not in release
        ]
        policy = _policy(world, body)
        if policy is DeletionPolicy.STOP:
            left = [m for m in left if world.together.word(m) not in ("STOPPED", "ERROR")]
        if policy is DeletionPolicy.RETAIN:
            left = []
            run = [unit.id for unit in world.units(body.uid) if unit.runs]
            if len(run) > 1 and not uprooted(world, body) and not release:
                raise Violation(f"G2: the resource is gone under Retain, and {run} run")
        if left:
            raise Violation(f"G2: the resource is gone under {policy}, {left[0].id} is left")

    def buries(self, world: World, uid: str, endpoint_id: str) -> None:
        """A DELETE leaves for what a tombstone names: only ever of its resource, and that gone."""
        self.remote_writes += 1
        if world.together.machines[endpoint_id].owner != owner_tag(uid):
            raise Violation(f"I3: DELETE to {endpoint_id}, which is not of {uid}")
        if uid in world.cluster.bodies and not world.cluster.bodies[uid].deleting:
            raise Violation(f"G3: a tombstone deletes {endpoint_id} while {uid} lives")

    # -- for a search ----------------------------------------------------------------------------

    def clone(self) -> Judge:
        """The same judge, to go on with differently."""
        new = copy(self)
        new.licences, new.granted = set(self.licences), set(self.granted)
        new.deletes, new.unasked = list(self.deletes), set(self.unasked)
        new.departed, new.strangers = set(self.departed), dict(self.strangers)
        new.replacing, new.tried = set(self.replacing), set(self.tried)
        new.moving, new.confirmed = set(self.moving), set(self.confirmed)
        return new


def _same(known: Body, body: Body) -> Status:
    """What is on record of the endpoint that is being worked on, of which there may be two."""
    other = known.status.beside
    return known.status if other is None or known.status.api == body.status.api else other


def _elsewhere(machine: Machine) -> bool:
    """Whether a resource of another cluster has taken an endpoint over."""
    mark = Marker.parse(machine.display_name)
    return mark is not None and mark.cluster != cluster_tag(CLUSTER)


def _changed(world: World, body: Body) -> bool:
    """Whether the resource asks for another deployment than there is."""
    letters = {unit.name.partition("-")[0] for unit in world.units(body.uid)}
    return bool(letters - {body.desired().immutable})


def _stays(world: World, body: Body) -> bool:
    """Whether what serves is to go on serving."""
    known = world.cluster.get(body.uid)
    if known is None or body.spec.state is State.STOPPED or known.spec.state is State.STOPPED:
        return False
    if body.deleting and not known.deleting:
        return False  # one of two that is given up
    other = known.status.beside
    beside = other is not None and other.endpoint_id == body.status.endpoint_id
    policy = _policy(world, body if beside else known)
    return not known.deleting or policy is DeletionPolicy.RETAIN


def uprooted(world: World, body: Body) -> bool:
    """Whether a resource is deleted along with the CRD."""
    cluster, deleted = world.cluster, body.deleted
    if deleted is None:
        return False
    going = cluster.undefined is not None and cluster.undefined <= deleted
    return going or body.created < cluster.defined >= deleted


def _policy(world: World, body: Body) -> DeletionPolicy:
    if uprooted(world, body):
        return DeletionPolicy.RETAIN
    operation = body.status.operation
    ours = operation is not None and operation.uid == body.uid
    return body.desired().policy(adopted=bool(ours and body.status.adopted))
