"""Waits that several chapters come to, so that each of them is said in the same words."""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.causes import PASSING, cause
from together_operator.core.steps import Decision
from together_operator.resource.endpoint_status import Refusal
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Refused


def suspended(case: Case, told: str) -> Decision:
    """The wait for a person to take the suspension back.

    Args:
        case: The resource.
        told: What would be done otherwise.
    """
    return case.wait(
        Reason.SUSPENDED, f"Suspended; waiting with: {told}. Set spec.suspend to false to go on"
    )


def keyless(case: Case, message: str) -> Decision:
    """The wait for the person's own key, which is not there.

    Args:
        case: The resource.
        message: What is so where nothing is known of why.
    """
    trouble = case.key_trouble
    reason = trouble.reason if trouble else Reason.SECRET_MISSING
    return case.wait(reason, trouble.message if trouble else message, cause=reason)


def between_keys(case: Case) -> Decision:
    """The wait for the person's own key to be there and to be the one that is held.

    Args:
        case: The resource.
    """
    trouble = case.key_trouble
    if trouble is None:
        return case.as_before(case.timing.lag)
    return case.wait(trouble.reason, trouble.message, cause=trouble.reason)


def still_refused(case: Case, verb: str, refusal: Refusal) -> Decision | None:
    """What a refusal on record means as long as nothing has changed since.

    Args:
        case: The resource.
        verb: The kind of write that was refused, as this process remembers it.
        refusal: What is on record, in words of this version.

    Returns:
        The wait, or `None` once the refusal may have passed by itself.
    """
    reason = Reason(refusal.reason)
    if reason not in PASSING:
        return case.wait(reason, refusal.message)
    rejection = case.memory.rejection(verb)
    at, count, asked = case.memory.born, 1, None
    if rejection is not None:
        at, count = rejection.at, rejection.count
        asked = rejection.what.retry_after if isinstance(rejection.what, Refused) else None
    due = at + case.backoff(count, asked)
    if case.now >= due:
        return None
    return case.wait(reason, refusal.message, due - case.now, cause=cause(reason))
