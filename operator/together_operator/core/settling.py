"""Settling what an attempt came to, when nobody said.

The rules are those of a protocol that was checked by exhaustive search; each is short, and none
may be shortened: wait for the latest possible effect on this process's own clock, look twice, and
take silence for absence only if both looks were conclusive.
"""

from __future__ import annotations

from dataclasses import dataclass

from together_operator.core.case import Case
from together_operator.core.scan import Found, horizon
from together_operator.core.steps import Decision, Look
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.times import parse_time

_PAUSES = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Settled:
    """What an attempt came to.

    Attributes:
        found: The endpoints that carry our mark, the oldest first; empty if nothing was made.
        chosen: Whether a person said so.
    """

    found: tuple[Found, ...] = ()
    chosen: bool = False


def look(case: Case, credential: str, since: float, uids: tuple[str, ...] = ()) -> Look:
    """A scan for our marks.

    Args:
        case: The resource.
        credential: The identity of the key to look with.
        since: The earliest time at which its LIST may have been sent.
        uids: Whose marks count besides our own.
    """
    date = parse_time(case.operation.date) if case.operation else None
    return Look(
        credential=credential,
        since=since,
        horizon=horizon(date, case.desired.created_at),
        uids=(case.desired.uid, *uids),
    )


def settle(case: Case, subjects: tuple[str, ...]) -> Settled | Decision:
    """Find out what unresolved attempts came to (create-once rules 6 and 7).

    Args:
        case: The resource.
        subjects: The nonces, or the lost record, that have to be settled.

    Returns:
        The finding, or the next step towards it.
    """
    keys = case.observed.keys
    wanted = case.operation.credential if case.operation else case.credential
    if wanted is None or wanted not in (keys.held, keys.user):
        return _without_key(case)
    scan = case.memory.scan
    if scan is not None and scan.ours and scan.credential == wanted:
        return Settled(scan.ours)
    answer = _answer(case)
    if answer is not None:
        return answer
    began = max((case.memory.since(subject) or case.now) for subject in subjects)
    settled_at = began + case.timing.settle
    empties = [sent for sent in case.memory.empties if sent >= settled_at]
    if empties and empties[-1] - empties[0] >= case.timing.scan_gap:
        return Settled()
    message = (
        "A create request had no clear answer, or an earlier one left no record; looking at"
        " Together for what it made before anything else is done"
    )
    due = _next_scan(case, began, settled_at)
    if case.now >= due:
        return case.read(look(case, wanted, case.now), Reason.CLAIMING, message)
    if scan is not None and not scan.conclusive and scan.sent_at >= settled_at:
        return case.wait(Reason.INCONCLUSIVE_SCAN, inconclusive(case), due - case.now)
    return case.wait(Reason.CLAIMING, message, due - case.now)


def inconclusive(case: Case) -> str:
    """Say what a person has to decide when a scan proves nothing."""
    scan = case.memory.scan
    doubtful = [*scan.suspects, *scan.unread] if scan else []
    return (
        "A create request had no clear answer, and Together lists endpoints of which it cannot be"
        f" told whether they are its result: {', '.join(doubtful[:5])}. Set the annotation"
        f" {names.CLAIM} to the id that belongs to this resource, or to 'none'"
    )


def _answer(case: Case) -> Settled | None:
    """A person's answer, as far as it answers the question."""
    claim = case.desired.claim
    if claim is None:
        return None
    if claim == "none":
        return Settled(chosen=True)
    scan = case.memory.scan
    if scan is None or claim not in scan.listed:
        return None
    return Settled((Found(claim, "", 0.0),), chosen=True)


def _next_scan(case: Case, began: float, settled_at: float) -> float:
    scan = case.memory.scan
    last = scan.sent_at if scan is not None and scan.sent_at >= began else None
    factor = case.timing.scan_gap / 5.0
    if last is None:
        return began + _PAUSES[0] * factor
    if last >= settled_at:
        pause = case.timing.scan_gap
        if scan is not None and not scan.conclusive:
            pause = max(pause, case.timing.lag / 2)
        return last + pause
    elapsed = 0.0
    for pause in _PAUSES:
        elapsed += pause * factor
        if began + elapsed > last:
            return min(began + elapsed, settled_at)
    return min(last + _PAUSES[-1] * factor, settled_at)


def _without_key(case: Case) -> Decision:
    keys = case.observed.keys
    if keys.user is None and keys.held is None:
        trouble = keys.trouble
        what = trouble.message if trouble else "there is no key"
        return case.wait(
            Reason.SECRET_MISSING,
            f"A create request is not resolved and {what}. Give the key that it was sent with",
            cause=Reason.SECRET_MISSING,
        )
    return case.wait(
        Reason.CREDENTIAL_MISMATCH,
        "A create request is not resolved, and the key that it was sent with is gone; another key"
        " may not see what it made. Put the former key back into the Secret",
    )
