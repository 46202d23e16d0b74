"""Writes that were sent: what came of each, so that none is sent again without a reason.

The latest of each kind is remembered, with what Together acknowledged by it; among that is what no
GET returns.
"""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.case import Case
from together_operator.core.memory import Memory, Rejection, Sent
from together_operator.core.mirror import merge
from together_operator.core.steps import Delete, Route, Start, Step, Stop, Undeploy, Update, Write
from together_operator.resource.endpoint_status import Applied, StatusAutoscaling
from together_operator.resource.reasons import KEY_REFUSALS
from together_operator.resource.remote import Absent, Refused, Unavailable
from together_operator.resource.spec import State

_WRITES_KEPT = 16
_KINDS = {
    "start": ("start", "stop"),
    "stop": ("start", "stop"),
    "update": ("update",),
    "route": ("route",),
}
_ASIDE = frozenset({"delete", "undeploy"})
"""Writes that stand beside others of their kind, because they are about different things."""


def rejected(
    memory: Memory, verb: str, subject: str, what: Refused | Unavailable | Absent, now: float
) -> Memory:
    """Note a write that Together did not carry out."""
    # Attempts to create differ in their nonce and are still the same wish.
    old = memory.rejection(verb, None if verb in ("create", "deploy") else subject)
    count = old.count + 1 if old is not None else 1
    kept = tuple(r for r in memory.rejections if r is not old)
    new = Rejection(verb, subject, what, now, count)
    return replace(memory, rejections=(*kept, new)[-_WRITES_KEPT:])


def accepted(memory: Memory, verb: str, subject: str, now: float) -> Memory:
    """Note a write that Together accepted."""

    # A later write of the same kind makes the earlier one history: what was started may be stopped
    # again at once. Only deletions of several endpoints stand beside each other.
    def superseded(other: Sent | Rejection) -> bool:
        if verb in _ASIDE:
            return (other.verb, other.subject) == (verb, subject)
        return other.verb in _KINDS[verb]

    writes = tuple(s for s in memory.writes if not superseded(s))
    rejections = tuple(r for r in memory.rejections if not superseded(r))
    writes = (*writes, Sent(verb, subject, now))[-_WRITES_KEPT:]
    return replace(memory, writes=writes, rejections=rejections)


def with_another_key(memory: Memory) -> Memory:
    """Forget what was refused because of the former key."""
    kept = tuple(r for r in memory.rejections if not about_the_key(r))
    return replace(memory, rejections=kept)


def about_the_key(rejection: Rejection) -> bool:
    """Whether a write was refused because of its key."""
    what = rejection.what
    return not isinstance(what, Absent) and what.reason in KEY_REFUSALS


def start_subject(case: Case, endpoint_id: str) -> str:
    """What a start is about: a new generation, or a new request, is a new wish.

    Args:
        case: The resource.
        endpoint_id: The endpoint, or the deployment.
    """
    return f"{endpoint_id}/{case.desired.generation}/{case.desired.restart_requested_at or ''}"


def subject_of(case: Case, step: Step) -> tuple[str, str]:
    """What a write is about: the same subject is not sent twice without a reason.

    Args:
        case: The resource.
        step: A write to an endpoint.

    Returns:
        The verb, and the subject.
    """
    match step:
        case Update(endpoint_id=endpoint_id, change=change, deployment_id=deployment_id):
            return "update", f"{deployment_id or endpoint_id}/{change}"
        case Start(endpoint_id=endpoint_id, deployment_id=deployment_id):
            return "start", start_subject(case, deployment_id or endpoint_id)
        case Stop(endpoint_id=endpoint_id, deployment_id=deployment_id):
            return "stop", deployment_id or endpoint_id
        case Delete(endpoint_id=endpoint_id):
            return "delete", endpoint_id
        case Undeploy(deployment_id=deployment_id):
            return "undeploy", deployment_id
        case Route(endpoint_id=endpoint_id, traffic=traffic):
            return "route", f"{endpoint_id}/{traffic}"
        case _:
            return "", ""


def acknowledged(memory: Memory, step: Write) -> Memory:
    """Keep what Together acknowledged with a write."""
    match step:
        case Update(change=change):
            bounds = change.bounds
            applied = Applied(
                display_name=change.display_name,
                autoscaling=None
                if bounds is None
                else StatusAutoscaling(min_replicas=bounds.min, max_replicas=bounds.max),
                inactive_timeout_minutes=change.inactive_timeout_minutes,
            )
        case Start(deployment_id=None):
            applied = Applied(state=State.STARTED)
        case Start(order=order):
            bounds = order.bounds
            applied = Applied(
                state=State.STARTED,
                autoscaling=StatusAutoscaling(min_replicas=bounds.min, max_replicas=bounds.max),
            )
        case Stop():
            applied = Applied(state=State.STOPPED)
        case _:
            return memory
    return acknowledge(memory, step.endpoint_id, applied)


def acknowledge(memory: Memory, endpoint_id: str, applied: Applied) -> Memory:
    """Keep what Together is known to have taken in, beside what it took in before."""
    known = memory.acknowledged
    if known is not None and known[0] == endpoint_id:
        applied = merge(known[1], applied)
    return replace(memory, acknowledged=(endpoint_id, applied))
