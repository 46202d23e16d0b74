"""What people have declared, as a judge reads it from the cluster and not from the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from together_operator.core.marker import Marker, cluster_tag
from together_operator.resource.spec import DeletionPolicy, State
from together_operator.resource.status import Status

from .account_model import CLUSTER
from .cluster_model import Body

if TYPE_CHECKING:
    from .together_model import Machine
    from .world import World


def same(known: Body, body: Body) -> Status:
    """What is on record of the endpoint that is being worked on, of which there may be two."""
    other = known.status.beside
    return known.status if other is None or known.status.api == body.status.api else other


def elsewhere(machine: Machine) -> bool:
    """Whether a resource of another cluster has taken an endpoint over."""
    mark = Marker.parse(machine.display_name)
    return mark is not None and mark.cluster != cluster_tag(CLUSTER)


def changed(world: World, body: Body) -> bool:
    """Whether the resource asks for another deployment than there is."""
    letters = {unit.name.partition("-")[0] for unit in world.units(body.uid)}
    return bool(letters - {body.desired().immutable})


def stays(world: World, body: Body) -> bool:
    """Whether what serves is to go on serving."""
    known = world.cluster.get(body.uid)
    if known is None or body.spec.state is State.STOPPED or known.spec.state is State.STOPPED:
        return False
    if body.deleting and not known.deleting:
        return False  # one of two that is given up
    other = known.status.beside
    beside = other is not None and other.endpoint_id == body.status.endpoint_id
    policy = policy_of(world, body if beside else known)
    return not known.deleting or policy is DeletionPolicy.RETAIN


def uprooted(world: World, body: Body) -> bool:
    """Whether a resource is deleted along with the CRD."""
    cluster, deleted = world.cluster, body.deleted
    if deleted is None:
        return False
    going = cluster.undefined is not None and cluster.undefined <= deleted
    return going or body.created < cluster.defined >= deleted


def policy_of(world: World, body: Body) -> DeletionPolicy:
    """What is to become of the endpoint when the resource goes."""
    if uprooted(world, body):
        return DeletionPolicy.RETAIN
    operation = body.status.operation
    ours = operation is not None and operation.uid == body.uid
    return body.desired().policy(adopted=bool(ours and body.status.adopted))
