"""A deletion that leaves the endpoint: as it is (Retain), or stopped (Stop).

Whoever keeps an endpoint beyond its resource keeps what serves. The other deployment of a
replacement that the deletion has cut short serves nobody, and would be billed with nobody to know
of it: it goes all the same.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.causes import cause
from together_operator.core.deploying import own_ids, recognise_deployment
from together_operator.core.dismantling import dismantle, drained, halt
from together_operator.core.looking import details, read_since_listed
from together_operator.core.parting import blocked
from together_operator.core.routing import towards, without
from together_operator.core.sending import send
from together_operator.core.steps import Decision, Get, List, Stop, waits
from together_operator.core.swapping import turned
from together_operator.core.uprooting import uprooted
from together_operator.resource.endpoint_status import Role
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import ENDED, Absent, Endpoint, Phase, Refused


def owed(case: Case) -> tuple[str, ...]:
    """The deployments that have to go before a resource may that leaves its endpoint.

    Args:
        case: The resource, being deleted. As long as it is not known whether the CRD goes as well
            (nothing is touched then), it counts as not going.

    Returns:
        Their ids, those among them that are gone already; nothing where nobody answers for them
        any more.
    """
    others = (d.id for d in case.record.deployments if d.role != Role.CURRENT)
    return tuple(others) if _answers(case) else ()


def unrecorded(case: Case) -> bool:
    """Whether something may be there that is not on record by its id.

    That is one on order that was to take another's place, which does not run; or all that there is,
    where the status was lost.

    Args:
        case: The resource, being deleted.
    """
    operation = case.operation
    if operation is None or case.desired.spec.suspend or not _answers(case):
        return False
    if operation.deploying is not None:
        return case.current is not None
    return not case.record.deployments


def _answers(case: Case) -> bool:
    """Whether it is this resource that answers for what is in its endpoint."""
    endpoint_id = case.record.endpoint_id
    if endpoint_id is None or endpoint_id in case.desired.release or case.gone(endpoint_id):
        return False
    if not case.observed.deploys or case.record.adopted or case.observed.rival is not None:
        return False
    return not uprooted(case)


def trim(case: Case, endpoint_id: str) -> Decision | None:
    """One step towards nothing of ours being in an endpoint but what serves.

    Args:
        case: The resource, being deleted, whose endpoint stays.
        endpoint_id: Its endpoint.

    Returns:
        The step, or `None` once nothing is left to be removed.
    """
    if owed(case):
        return _looked(case, endpoint_id)
    if not unrecorded(case) or case.credential is None:
        return None
    decision = _looked(case, endpoint_id)
    # Nothing is known to cost anything, so that nobody is kept waiting.
    return None if decision is None or waits(decision) else decision


def _looked(case: Case, endpoint_id: str) -> Decision | None:
    credential = case.credential or ""
    poll = case.observed.poll
    if poll is None or poll.credential != credential:
        message = f"Looking what runs in {endpoint_id}"
        return case.read(List(credential, float("-inf")), Reason.DELETING, message)
    if case.missing(endpoint_id):
        return _confirmed(case, endpoint_id)
    return _trimmed(case, endpoint_id)


def _trimmed(case: Case, endpoint_id: str) -> Decision | None:
    known, endpoint = owed(case), case.endpoint
    if not known and not unrecorded(case):
        return None
    fresh = case.memory.details_at >= (case.memory.ending or case.now)
    hidden = endpoint is None or any(endpoint.deployment(one) is None for one in known)
    hidden = hidden or not known
    if endpoint is None or not fresh or (hidden and not read_since_listed(case, endpoint_id)):
        message = f"Looking what runs in {endpoint_id}"
        return details(case, endpoint_id, Reason.DELETING, message)
    recognised = recognise_deployment(case, endpoint)
    if recognised is not None:
        return recognised
    others = _others(case, endpoint)
    if not others:
        return None
    return (
        turned(case, endpoint, Reason.DELETING)
        or _unrouted(case, endpoint, others)
        or _removed(case, endpoint, others)
    )


def _others(case: Case, endpoint: Endpoint) -> frozenset[str]:
    """Ours beside the one that stays."""
    own = own_ids(case, endpoint)
    if case.current is not None:
        return own - {case.current.id}
    # With none that is to serve, what has ended is all that there is to keep.
    there = endpoint.deployments or ()
    return frozenset(d.id for d in there if d.id in own and d.phase not in ENDED)


def _unrouted(case: Case, endpoint: Endpoint, others: frozenset[str]) -> Decision | None:
    """Take them out of the traffic, without taking it from the one that stays."""
    step = without(case, endpoint, others)
    if step is None:
        return None
    current = case.current
    if current is not None and endpoint.deployment(current.id) is not None:
        step = towards(case, endpoint, current.id, others | {current.id})
    told = f"Taking {', '.join(sorted(others))} out of the traffic"
    return send(case, step, Reason.DELETING, told)


def _removed(case: Case, endpoint: Endpoint, others: frozenset[str]) -> Decision | None:
    """Stop and delete them, once no router sends them anything."""
    running = {d.id for d in endpoint.deployments or () if d.phase not in ENDED}
    due = {entry.id: drained(case, entry) for entry in case.record.deployments}
    awaited = {one: due[one] for one in others & running if case.now < due.get(one, case.now)}
    decision = dismantle(case, endpoint, others - awaited.keys(), Reason.DELETING)
    if decision is not None or not awaited:
        return decision
    message = f"{', '.join(sorted(awaited))} is removed once no router can send it anything"
    return case.wait(Reason.DELETING, message, min(awaited.values()) - case.now)


def stop(case: Case, endpoint_id: str) -> Decision | None:
    """One step towards the endpoint being stopped, and kept.

    Args:
        case: The resource, being deleted.
        endpoint_id: Its endpoint.

    Returns:
        The step, or `None` at STOPPED, ERROR or gone.
    """
    credential = case.credential or ""
    poll = case.observed.poll
    message = f"Stopping {endpoint_id} at Together, as spec.deletionPolicy says"
    if poll is None or poll.credential != credential:
        return case.read(List(credential, float("-inf")), Reason.DELETING, message)
    if case.missing(endpoint_id):
        return _confirmed(case, endpoint_id)
    endpoint = case.endpoint
    if endpoint is None:
        return details(case, endpoint_id, Reason.DELETING, message)
    if case.observed.deploys:
        halting = halt(case, endpoint, Reason.DELETING, "as spec.deletionPolicy says")
        return halting or _trimmed(case, endpoint_id)
    if endpoint.phase in ENDED:
        return None
    rejection = case.memory.rejection("stop")
    if rejection is not None:
        what = rejection.what
        asked = None if isinstance(what, Absent) else what.retry_after
        due = rejection.at + case.backoff(rejection.count, asked)
        if case.now < due:
            if isinstance(what, Absent):
                return case.wait(Reason.DELETING, message, due - case.now)
            if isinstance(what, Refused) and not what.retryable:
                return blocked(
                    case,
                    f"Together refuses to stop {endpoint_id}: {what.message}",
                    endpoint_id,
                    due - case.now,
                )
            return case.wait(what.reason, what.message, due - case.now, cause=cause(what.reason))
    sent = case.memory.sent("stop")
    if endpoint.phase is Phase.STOPPING or (
        sent is not None and case.now < sent.at + case.timing.repeat
    ):
        return case.wait(Reason.DELETING, message, case.timing.repeat)
    step = Stop(credential, endpoint_id, drift=False)
    return case.step(step, Reason.DELETING, message)


def _confirmed(case: Case, endpoint_id: str) -> Decision | None:
    """Confirm an absence without sending a DELETE."""
    if case.gone(endpoint_id):
        return None
    absence = case.memory.absence(endpoint_id)
    assert absence is not None  # noqa: S101
    message = f"{endpoint_id} is not listed; making sure that it is gone"
    credential = case.credential or ""
    if absence.not_found is None:
        return case.read(Get(credential, endpoint_id), Reason.DELETING, message)
    due = absence.first + case.timing.lag
    if case.now >= due:
        return case.read(List(credential, due), Reason.DELETING, message)
    return case.wait(Reason.DELETING, message, due - case.now)
