"""Sending a write to Together: not again while it is refused, or while its effect is awaited."""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.causes import cause
from together_operator.core.steps import Decision, Route, Start, Stop, Undeploy, Update
from together_operator.core.writes import subject_of
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Absent


def send(
    case: Case, step: Start | Stop | Update | Route | Undeploy, reason: Reason, message: str
) -> Decision:
    """Send a write about a deployment, unless it was not carried out or has just been sent.

    Args:
        case: The resource.
        step: The write.
        reason: The one word meanwhile.
        message: What is being done.
    """
    verb, subject = subject_of(case, step)
    rejection = case.memory.rejection(verb, subject)
    if rejection is not None:
        what = rejection.what
        asked = None if isinstance(what, Absent) else what.retry_after
        due = rejection.at + case.backoff(rejection.count, asked)
        if case.now < due and isinstance(what, Absent):
            return case.wait(reason, message, due - case.now)
        if case.now < due and not isinstance(what, Absent):
            return case.wait(
                what.reason,
                f"{message} was not carried out: {what.message}",
                due - case.now,
                cause=cause(what.reason),
            )
    sent = case.memory.sent(verb, subject)
    if sent is not None and case.now < sent.at + case.timing.repeat:
        told = f"{message}; Together accepted it and does not show it yet"
        left = sent.at + case.timing.repeat - case.now
        return case.wait(reason, told, min(case.timing.scan_gap, left))
    return case.step(step, reason, message)
