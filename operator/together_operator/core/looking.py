"""Reading one endpoint whole, while LIST and GET may tell different stories.

Either may lag behind the other, in both directions. Asking the one again at once because of what
the other said would go round without end, so that a story that does not fit is given its time.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.steps import Decision, Get, List
from together_operator.resource.reasons import Reason


def details(case: Case, endpoint_id: str, reason: Reason, message: str) -> Decision:
    """Read an endpoint that LISTs show.

    Args:
        case: The resource.
        endpoint_id: The endpoint.
        reason: The one word meanwhile.
        message: What is being done.
    """
    credential = case.credential or ""
    glance = case.memory.glance(endpoint_id)
    if glance is None or glance.found:
        return case.read(Get(credential, endpoint_id), reason, message)
    poll = case.observed.poll
    if poll is None or poll.sent_at < glance.at:
        return case.read(List(credential, glance.at), reason, message)
    due = glance.at + case.timing.scan_gap
    if case.now >= due:
        return case.read(Get(credential, endpoint_id), reason, message)
    return case.as_before(due - case.now)


def read_since_listed(case: Case, endpoint_id: str) -> bool:
    """Whether the newest picture of an endpoint is a GET: a LIST may not show yet what is in it.

    Args:
        case: The resource.
        endpoint_id: The endpoint.
    """
    glance, poll = case.memory.glance(endpoint_id), case.observed.poll
    return glance is not None and glance.found and (poll is None or glance.at >= poll.sent_at)


def absence(case: Case, endpoint_id: str, reason: Reason, message: str) -> Decision:
    """One step towards knowing whether an endpoint that is not listed is gone (I5).

    Args:
        case: The resource; its newest LIST does not show the endpoint, and it is not known gone.
        endpoint_id: The endpoint.
        reason: The one word meanwhile.
        message: What is being done.
    """
    seen = case.memory.absence(endpoint_id)
    assert seen is not None  # noqa: S101
    credential = case.credential or ""
    if seen.not_found is None:
        return case.read(Get(credential, endpoint_id), reason, message)
    due = seen.first + case.timing.lag
    if case.now >= due:
        return case.read(List(credential, due), reason, message)
    return case.as_before(due - case.now)
