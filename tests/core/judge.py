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
    Start,
    Stop,
    Update,
)
from together_operator.resource.endpoint_status import MigrationPhase, Role
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import Bounds, Order
from together_operator.resource.spec import Api, DeletionPolicy, OnMissing, Replacement, State

from .account_model import CLUSTER
from .cloning import copy
from .cluster_model import Body
from .declared import changed, elsewhere, policy_of, same, uprooted

if TYPE_CHECKING:
    from .together_model import Machine
    from .work_model import Thought
    from .world import World


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
        if body.spec.replacement is Replacement.SWAP and changed(world, body):
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
            operation = same(known, body).operation
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
                self.deletes_endpoint(world, body, step)
            case Start():
                self.starts(world, body)
            case Stop():
                wanted = body.spec.state is State.STOPPED
                wanted = wanted or self.given_up(world.cluster.get(body.uid), body)
                if not wanted and not (
                    body.deleting and policy_of(world, body) is DeletionPolicy.STOP
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

    def deletes_endpoint(self, world: World, body: Body, step: Delete) -> None:
        """A DELETE of a whole endpoint leaves: G3."""
        self.deletes.append(step.endpoint_id)
        operation = body.status.operation
        removing = operation.removing if operation is not None else ()
        if step.endpoint_id not in (body.status.endpoint_id, *removing):
            raise Violation(f"G3: {step.endpoint_id} is deleted and is not on record")
        known = world.cluster.get(body.uid)
        if known is None or known.deleting:
            policy = policy_of(world, body)
            if policy is not DeletionPolicy.DELETE and body.status.endpoint_id == step.endpoint_id:
                raise Violation(f"A DELETE under {policy}")
            return
        operation = known.status.operation
        ours = operation is not None and operation.uid == body.uid
        if body.deleting and not self.given_up(known, body):
            raise Violation(f"G3: {step.endpoint_id} is given up, and nobody has said so")
        if ours and known.status.endpoint_id == step.endpoint_id:
            raise Violation("G3: the recorded endpoint is deleted while its resource lives")

    def given_up(self, known: Body | None, body: Body) -> bool:
        """Whether an endpoint is the one of two that a person has given up."""
        if known is None:
            return False
        if known.status.operation is None:
            # The status was lost a moment ago; what people have said was not.
            confirmed = owner_tag(body.uid) in self.confirmed
            return confirmed if body.status.api == Api.V1 else known.spec.api is not Api.V2
        migration = known.status.migration
        if migration is None or migration.phase != MigrationPhase.LEAVING:
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

    def starts(self, world: World, body: Body) -> None:
        """A start leaves: I8."""
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
        if policy_of(world, body) is DeletionPolicy.DELETE and not release:
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
                or (body.status.adopted and m.id in body.holding and not elsewhere(m))
            )
            and m.id not in release
        ]
        policy = policy_of(world, body)
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
