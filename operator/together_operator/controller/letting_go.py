"""Letting a resource go without an operator: what would be left, and the order in which it is done.

The order is that of the operator's own last step: first what must outlive the resource (which
endpoints were left on purpose, and what an unsettled order may yet make), then the finalizer, and
the key copy last, because it is the last thing that can still stop or delete anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from together_operator.controller.account import Account
from together_operator.controller.costs import folded, hardware_of
from together_operator.controller.entry import Entry
from together_operator.controller.inventory import Inventory
from together_operator.controller.kube_errors import Conflict
from together_operator.controller.readable import readable
from together_operator.controller.tombstone import Tombstone
from together_operator.core.marker import owner_tag
from together_operator.core.orphans import cost
from together_operator.core.scan import Trait
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.endpoint_status import Operation, OperationPhase, Remote

_ATTEMPTS = 5
NOT_LISTED = "not listed"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Remains:
    """One endpoint that is left when a resource is let go.

    Attributes:
        id: Together's id.
        state: Together's word, or why there is none.
        cost: What it costs now per hour in US dollars; `None` if that is not known.
    """

    id: str
    state: str
    cost: Decimal | None


def held(resource: TogetherEndpoint) -> bool:
    """Whether there is anything to let go."""
    return names.FINALIZER in resource.finalizers


def _operation(inventory: Inventory, resource: TogetherEndpoint) -> Operation | None:
    """The create record, if it is the resource's own and of this cluster."""
    operation = resource.status.operation
    mine = (resource.uid, inventory.cluster)
    ours = operation is not None and (operation.uid, operation.cluster) == mine
    return operation if ours else None


def unsettled(inventory: Inventory, resource: TogetherEndpoint) -> tuple[str, ...]:
    """The nonces of orders that may yet make an endpoint."""
    if _operation(inventory, resource) is None:
        return ()
    remotes = filter(None, (resource.status, resource.status.beside))
    return tuple(nonce for remote in remotes for nonce in _pending(remote))


def _pending(remote: Remote) -> tuple[str, ...]:
    operation = remote.operation
    if operation is None:
        return ()
    pending = operation.phase is OperationPhase.OPEN and remote.endpoint_id is None
    return (*operation.open, operation.nonce) if pending else operation.open


async def remains(inventory: Inventory, resource: TogetherEndpoint) -> list[Remains]:
    """What a resource has at Together, as far as a key can tell.

    Args:
        inventory: What there is; every account has been looked at.
        resource: The resource.
    """
    left: dict[str, Account | None] = {}
    if _operation(inventory, resource) is not None:
        for entry in Entry.of(resource, None).both:
            account = inventory.account(resource, entry.api)
            known = [entry.endpoint_id] if entry.endpoint_id else []
            left |= dict.fromkeys((*known, *entry.removing), account)
    for each in inventory.accounts_of(resource):
        for found in each.marked(owner_tag(resource.uid)):
            left.setdefault(found.id, each)
    return [await _remains(resource, where, endpoint_id) for endpoint_id, where in left.items()]


async def _remains(
    resource: TogetherEndpoint, account: Account | None, endpoint_id: str
) -> Remains:
    if account is None or account.poll is None:
        why = "there is no key to look with" if account is None else "Together does not answer"
        return Remains(endpoint_id, f"{UNKNOWN}: {why}", None)
    line = account.poll.lines.get(endpoint_id)
    if line is None:
        return Remains(endpoint_id, NOT_LISTED, Decimal(0))
    trait = account.traits.get(endpoint_id)
    if trait is None:
        bounds = resource.status.autoscaling
        replicas = bounds.min_replicas if bounds is not None else 1
        hardware = resource.status.hardware or resource.spec.hardware
        trait = Trait(None, resource.spec.model, hardware, "", replicas)
    for hardware in hardware_of(line, trait):
        await account.price(hardware)
    line, trait, price = folded(line, trait, account.known_price)
    return Remains(endpoint_id, line.state, cost(line, trait, price))


async def let_go(inventory: Inventory, resource: TogetherEndpoint, left: Sequence[Remains]) -> None:
    """Take the finalizer off.

    Args:
        inventory: What there is.
        resource: The resource, held by our finalizer.
        left: What it has at Together.

    Raises:
        KubeError: It could not be done, or not in full.
    """
    ids = [entry.id for entry in left if entry.state != NOT_LISTED]
    if ids:
        await inventory.released.add(ids)
    nonces = unsettled(inventory, resource)
    operation = resource.status.operation
    if nonces and operation is not None:
        now = inventory.clocks.wall()
        tombstone = Tombstone.of(resource, inventory.cluster, nonces, now)
        await inventory.keys.entomb(resource, tombstone, operation.credential)
    await _unhold(inventory, resource)
    if not nonces:
        await inventory.keys.drop(resource.uid)


async def _unhold(inventory: Inventory, resource: TogetherEndpoint) -> None:
    for _ in range(_ATTEMPTS):
        body = await inventory.kube.get_endpoint(resource.namespace, resource.name)
        if body is None or body["metadata"]["uid"] != resource.uid:
            return
        now = readable(body).resource
        if not held(now):
            return
        try:
            await inventory.kube.patch_metadata(
                now.namespace,
                now.name,
                now.resource_version,
                finalizers=[name for name in now.finalizers if name != names.FINALIZER],
            )
        except Conflict:
            continue
        return
    raise Conflict(f"{resource.namespace}/{resource.name} changes all the time.")


async def sweep(inventory: Inventory) -> list[str]:
    """Delete the key copies of resources that are gone, and that no tombstone needs any more.

    Args:
        inventory: What there is.

    Returns:
        The uids whose copy stays, because of a tombstone that has not expired.

    Raises:
        KubeError: It could not be done.
    """
    kept, served = [], inventory.settings.namespaces
    for copy in inventory.keys:
        if copy.tombstone is not None and copy.tombstone.expires > inventory.clocks.wall():
            kept.append(copy.uid)
        elif copy.uid not in inventory.bodies and (not served or copy.namespace in served):
            await inventory.keys.drop(copy.uid)
    return kept
