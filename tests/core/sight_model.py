"""What one operator process sees when it looks at a resource: the observation of a reconcile.

The case that comes of it is the shipped one; what is re-stated here is where each part of it is
read: keys and copies in the cluster, endpoints in the lists that the process remembers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from together_operator.core.case import FAILED_POLLS, Case
from together_operator.core.choosing import generation
from together_operator.core.memory import Memory
from together_operator.core.noticing import notice, replace_memory
from together_operator.core.observed import Keys, Observed
from together_operator.core.record import Recorded
from together_operator.resource import names
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import Phase, Unavailable
from together_operator.resource.spec import Api
from together_operator.resource.status import Status
from together_operator.resource.times import parse_time

from .account_model import CLUSTER
from .cluster_model import Body
from .together_model import EPOCH, PHASES

if TYPE_CHECKING:
    from .process_model import Process
    from .world import World

_TRYING = Unavailable(Reason.UPDATING, "The new key is tried on the first endpoint before")


def observe(process: Process, world: World, body: Body, memory: Memory) -> Case:
    """What a process sees of a resource, and what it noticed on the way."""
    user = None if world.cluster.key is None else world.cluster.key
    held = world.cluster.copies.get(body.uid)
    trouble = None
    if user is None:
        trouble = Unavailable(Reason.SECRET_MISSING, "Secret together does not exist")
    desired, keys = body.desired(), Keys(user, held, trouble)
    api = _api(process, body, memory, held or user or "", world)
    observed = _see(process, world, body, body.status, keys, api)
    other = Recorded(desired, body.status, observed, world.now).record.beside
    if other is None:
        observed = replace(observed, memory=replace(memory, beside=None))
        case = Case(desired, body.status, observed, world.now)
        return replace_memory(case, notice(case))
    apart = keys if keys.user in (None, keys.held) else Keys(None, keys.held, _TRYING)
    beside = _see(process, world, body, other, apart, Api(other.api))
    fresh = Memory(born=world.now, details_at=world.now)
    known = replace(memory, beside=memory.beside or fresh)
    observed = replace(observed, memory=known, beside=beside)
    case = Case(desired, body.status, observed, world.now)
    return replace_memory(case, replace(notice(case), beside=notice(case.beside)))


def _see(
    process: Process, world: World, body: Body, status: Status, keys: Keys, api: Api
) -> Observed:
    """What is seen of one endpoint of a resource, of which there may be two for a while."""
    for key in (keys.held, keys.user):
        if key is not None:
            process.account(key, api)
    account = process.accounts.get((keys.held or keys.user or "", api))
    lasting = account is not None and account.failures >= FAILED_POLLS
    return Observed(
        cluster=CLUSTER,
        api=api,
        nonce=world.draw_nonce(),
        timing=world.timing,
        keys=keys,
        memory=Memory(born=0.0),
        poll=account.poll if account else None,
        trouble=account.trouble if account and lasting else None,
        forbidden=world.forbidden,
        rival=world.rival,
        holder=_holder(process, world, body),
        former_phase=PHASES.get(status.state or "", Phase.UNKNOWN),
        markers_lost=world.markers_lost,
        deploys=api is Api.V2,
        closed=(keys.held or keys.user) in process.closed,
        marked=account.marked(body, status.endpoint_id) if account else (),
        probes=world.probes,
        unsynced=_unsynced(body.status, EPOCH + world.now),
    )


def _api(process: Process, body: Body, memory: Memory, key: str, world: World) -> Api:
    """Which generation carries the resource, or would."""
    blank = Observed(CLUSTER, Api.V1, "", world.timing, Keys(None, None), memory)
    recorded = Recorded(body.desired(), body.status, blank, world.now)
    _recall(process, world, body, recorded.record, key)
    record = recorded.record
    if record.operation is None and body.annotations.get(names.RESTORED_COPY) == "Adopt":
        record = record.model_copy(update={"api": body.status.api})
    return generation(
        body.spec,
        record,
        closed=key in process.closed,
        first=world.first,
        lost=recorded.record_lost,
        searched=recorded.searched,
    )


def _recall(process: Process, world: World, body: Body, record: Status, key: str) -> None:
    """Learn from a record that v1 is closed to its key."""
    operation = record.operation
    held = world.cluster.copies.get(body.uid)
    if operation is None or held is None or operation.credential != held or key != held:
        return
    refusal = operation.refusal
    if operation.v1_closed or (refusal is not None and refusal.reason == Reason.V1_CLOSED):
        process.closed.add(held)


def _holder(process: Process, world: World, body: Body) -> str | None:
    """As far as this process remembers."""
    adopt = body.spec.adopt
    for uid, work in process.works.items():
        entry = work.entry
        if adopt is None or entry is None or uid == body.uid or uid not in world.cluster.bodies:
            continue
        if adopt.endpoint_id in (entry.endpoint_id, *entry.removing):
            return uid
    return None


def _unsynced(status: Status, wall: float) -> float:
    for condition in status.conditions:
        if condition.type is ConditionType.SYNCED and condition.status == "False":
            return max(0.0, wall - parse_time(condition.last_transition_time))
    return 0.0
