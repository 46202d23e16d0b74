"""Removing endpoints for good: extras of a living resource, and the endpoint of a deleted one.

Nothing is deleted but what a bound record, or our mark with an open nonce, proves to be ours
(I3), and nothing counts as gone until that is confirmed (I5).
"""

from __future__ import annotations

from collections.abc import Iterable

from together_operator.core.case import Case
from together_operator.core.causes import cause
from together_operator.core.scan import Found
from together_operator.core.steps import Decision, Delete, Get, List, Record, waits
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Absent


def extras(case: Case) -> Decision | None:
    """Remove what a late attempt made beside the recorded endpoint (rule 11).

    Args:
        case: The resource, living.

    Returns:
        The step that is due, or `None`.
    """
    operation = case.operation
    if operation is None or case.record.endpoint_id is None:
        return None
    proven = newly_proven(case, case.observed.marked)
    if proven is not None:
        return proven
    if case.desired.spec.suspend:
        return None
    for endpoint_id in operation.removing:
        step = remove(case, endpoint_id, Reason.UPDATING)
        if step is None:
            return _forget(case, endpoint_id)
        if not waits(step):
            return step
    return None


def newly_proven(case: Case, marked: Iterable[Found]) -> Decision | None:
    """Put extras that an open attempt made on record, before anything is deleted."""
    operation = case.operation
    if operation is None:
        return None
    # One attempt makes one endpoint: a younger one with the same nonce is a copied name, and with
    # the oldest on record the attempt has come to its end.
    oldest = {found.nonce: found.id for found in reversed(tuple(marked))}
    fresh = {
        nonce: endpoint_id
        for nonce, endpoint_id in oldest.items()
        if nonce in operation.open
        and endpoint_id not in operation.removing
        and endpoint_id != case.record.endpoint_id
        and not case.gone(endpoint_id)
    }
    if not fresh:
        return None
    record = operation.model_copy(
        update={
            "open": tuple(nonce for nonce in operation.open if nonce not in fresh),
            "removing": (*operation.removing, *fresh.values()),
        }
    )
    return case.step(
        Record(case.record.model_copy(update={"operation": record})),
        Reason.CLAIMING,
        f"A late attempt made {', '.join(fresh.values())} as well; removing it",
    )


def _forget(case: Case, endpoint_id: str) -> Decision:
    operation = case.operation
    assert operation is not None  # noqa: S101
    left = tuple(known for known in operation.removing if known != endpoint_id)
    record = operation.model_copy(update={"removing": left})
    return case.step(
        Record(case.record.model_copy(update={"operation": record})),
        Reason.UPDATING,
        f"{endpoint_id} is gone",
    )


def remove(case: Case, endpoint_id: str, reason: Reason) -> Decision | None:
    """One step towards an endpoint being gone, and known to be.

    Args:
        case: The resource.
        endpoint_id: What has to go.
        reason: The one word meanwhile.

    Returns:
        The step, or `None` once it is confirmed gone.
    """
    if case.gone(endpoint_id):
        return None
    credential = case.credential or ""
    memory = case.memory
    poll = case.observed.poll
    message = f"Deleting {endpoint_id} at Together"
    if poll is None or poll.credential != credential:
        return case.read(List(credential, float("-inf")), reason, message)
    rejection = memory.rejection("delete", endpoint_id)
    if rejection is not None and not isinstance(rejection.what, Absent):
        retry = rejection.at + case.backoff(rejection.count, rejection.what.retry_after)
        if case.now < retry:
            return case.wait(
                rejection.what.reason,
                f"{message} was not carried out: {rejection.what.message}",
                retry - case.now,
                cause=cause(rejection.what.reason),
            )
    sent = memory.sent("delete", endpoint_id)
    absence = memory.absence(endpoint_id)
    if absence is None:
        if sent is None or case.now >= sent.at + case.timing.repeat:
            return case.step(Delete(credential, endpoint_id), reason, message)
        if poll.sent_at < sent.at:
            return case.read(List(credential, sent.at), reason, message)
        return case.wait(reason, f"{message}; it is still listed", case.timing.scan_gap)
    if absence.not_found is None:
        return case.read(Get(credential, endpoint_id), reason, message)
    confirmed = absence.first + case.timing.lag
    if case.now >= confirmed:
        return case.read(List(credential, confirmed), reason, message)
    return case.wait(
        reason, f"{endpoint_id} is gone from Together's list; making sure", confirmed - case.now
    )
