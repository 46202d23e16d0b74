"""Waits that several chapters come to, so that each of them is said in the same words."""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.causes import PASSING, cause
from together_operator.core.steps import Decision
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Refused
from together_operator.resource.status import Refusal


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
