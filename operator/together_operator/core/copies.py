"""Restored copies: a resource that carries another one's state (create-once rule 14).

A backup brings back annotations and status under a new uid. Acting on them would take the
endpoint away from the original, so a copy is recognised before anything else is read from it.
"""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.case import Case
from together_operator.core.marker import Marker
from together_operator.core.naming import mark_of
from together_operator.core.settling import look
from together_operator.core.steps import Decision, FindOwner, KeepKey, List, Prepare, Record
from together_operator.core.waiting import keyless
from together_operator.resource import names
from together_operator.resource.endpoint_status import (
    DeploymentStatus,
    Operation,
    OperationPhase,
    Role,
)
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Deployment
from together_operator.resource.times import format_time

ADOPT = "Adopt"
NEW = "New"


def former_owner(case: Case) -> str | None:
    """The uid whose state the resource carries, if that is not its own.

    Once our own uid is written into the annotation the question has been answered.
    """
    owner = case.desired.owner_uid
    if owner is not None:
        return owner if owner != case.desired.uid else None
    operation = case.status.operation
    if operation is None or operation.uid == case.desired.uid:
        return None
    return operation.uid


def settle_copy(case: Case) -> Decision | None:
    """Find out whose state this is, and what a person wants done with it.

    Args:
        case: The resource, living.

    Returns:
        The step, or `None` if the state is our own or may be ignored.
    """
    desired = case.desired
    if case.operation is not None:
        if desired.held and desired.owner_uid == desired.uid:
            return None
        return case.step(Prepare(), Reason.UPDATING, "Taking responsibility for the resource")
    former = former_owner(case)
    if former is None:
        return None
    lives = case.memory.owner_lives
    if lives is None or lives[0] != former:
        return case.step(
            FindOwner(former), Reason.RESTORED_COPY, "Looking for the resource this is a copy of"
        )
    if lives[1] or case.desired.restored_copy == NEW:
        return None
    if case.desired.restored_copy == ADOPT:
        return _adopt(case, former)
    known = case.status.endpoint_id
    what = f"endpoint {known}" if known else "an endpoint"
    return case.wait(
        Reason.RESTORED_COPY,
        f"This resource is a copy of one that is gone (uid {former}), which had {what}. Set the"
        f" annotation {names.RESTORED_COPY} to '{ADOPT}' to take over that endpoint, or to"
        f" '{NEW}' to create another one",
    )


def _adopt(case: Case, former: str) -> Decision:
    """Bind the former resource's endpoint to this one: key copy, finalizer, then the record."""
    user = case.observed.keys.user
    if user is None:
        return keyless(case, "There is no key to look at the endpoint with")
    if case.observed.keys.held != user:
        return case.step(KeepKey(user), Reason.RESTORED_COPY, "Keeping a copy of the key")
    carried = case.status.operation
    endpoint_id = case.status.endpoint_id if carried and carried.uid == former else None
    nonce = carried.nonce if carried and endpoint_id else case.observed.nonce
    if endpoint_id is None:
        scan = case.memory.scan
        if scan is None or case.now >= scan.sent_at + case.timing.lag:
            # The former resource may have been much older than its copy.
            looking = replace(look(case, user, case.now, (former,)), horizon=0.0)
            return case.read(
                looking, Reason.RESTORED_COPY, "Looking for the former resource's endpoint"
            )
        if not scan.ours:
            return case.wait(
                Reason.RESTORED_COPY,
                "Together lists no endpoint that carries the former resource's mark. Set the"
                f" annotation {names.RESTORED_COPY} to '{NEW}' to create one",
                scan.sent_at + case.timing.lag - case.now,
            )
        endpoint_id, nonce = scan.ours[0].id, scan.ours[0].nonce
    poll = case.observed.poll
    # The former resource's mark is still on it, by which nobody else has taken it over.
    home = carried.cluster if carried and carried.uid == former else case.observed.cluster
    told = case.status.deployments if carried and carried.uid == former else ()
    within = _within(case, endpoint_id, Marker.of(home, former, nonce), told)
    if isinstance(within, Decision):
        return within
    named = case.desired.spec.adopt
    operation = Operation(
        phase=OperationPhase.DONE,
        uid=case.desired.uid,
        cluster=case.observed.cluster,
        credential=user,
        nonce=nonce,
        former_marker=str(Marker.of(home, former, nonce)),
        date=format_time(poll.date if poll is not None else case.desired.created_at),
    )
    # Whether a restart was asked for before or after the backup is not known: do not start.
    restart = case.desired.restart_requested_at
    status = case.record.model_copy(
        update={
            "operation": operation,
            "endpoint_id": endpoint_id,
            "api": case.observed.api,
            "deployments": within,
            "adopted": (case.status.adopted if carried else None)
            or (True if named is not None else None),
            "last_handled_restart_at": restart,
        }
    )
    return case.step(Record(status), Reason.RESTORED_COPY, f"Taking over {endpoint_id} as asked")


def _within(
    case: Case, endpoint_id: str, former: Marker, told: tuple[DeploymentStatus, ...]
) -> tuple[DeploymentStatus, ...] | Decision:
    """What of the former resource's runs in the endpoint, or the look at it.

    It bears the former resource's mark for good: what is not on record would be taken for somebody
    else's, and another one be made beside it.
    """
    if not case.observed.deploys:
        return ()
    poll = case.observed.poll
    line = poll.lines.get(endpoint_id) if poll is not None else None
    message = f"Looking what runs in {endpoint_id}"
    if poll is None or poll.credential != case.credential:
        return case.read(List(case.credential or "", float("-inf")), Reason.RESTORED_COPY, message)
    if line is None or line.whole is None:
        return told
    whole, known = line.whole, {entry.id: entry for entry in told}
    own = {
        found.id: known.get(found.id) or _entry(found)
        for found in whole.deployments or ()
        if found.id in known or _bears(found, former)
    }
    if own and not any(entry.role == Role.CURRENT for entry in own.values()):
        serving = max(own, key=whole.weight)
        own[serving] = own[serving].model_copy(update={"role": Role.CURRENT.value})
    return tuple(own.values())


def _bears(deployment: Deployment, former: Marker) -> bool:
    mark = mark_of(deployment)
    return mark is not None and (mark.cluster, mark.owner) == (former.cluster, former.owner)


def _entry(deployment: Deployment) -> DeploymentStatus:
    return DeploymentStatus(id=deployment.id, name=deployment.name, role=Role.FORMER.value)
