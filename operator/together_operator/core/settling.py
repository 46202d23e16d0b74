"""Settling what an attempt came to, when nobody said.

The rules are those of a protocol that was checked by exhaustive search; each is short, and none
may be shortened: wait for the latest possible effect on this process's own clock, look twice, and
take silence for absence only if both looks were conclusive.
"""

from __future__ import annotations

from dataclasses import dataclass

from together_operator.core.case import Case
from together_operator.core.choosing import everywhere
from together_operator.core.scan import Found, Scan, horizon
from together_operator.core.steps import Decision, Look
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.times import parse_time

_ASKED_LATE = frozenset({Reason.INCONCLUSIVE_SCAN, Reason.ATTEMPTS_EXHAUSTED, Reason.MARKERS_LOST})
"""Questions that are asked only once an attempt has had its time."""

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
    return Look(
        credential=credential,
        since=since,
        horizon=horizon(_date(case), case.desired.created_at),
        uids=(case.desired.uid, *uids),
        name=case.endpoint_name if case.observed.deploys else "",
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
    if said_none(case, subjects):
        return Settled(chosen=True)
    if wanted is None or wanted not in (keys.held, keys.user):
        return _without_key(case)
    since = began(case, subjects)
    scan = case.memory.scan
    if scan is not None and (scan.credential != wanted or scan.sent_at < since):
        scan = None
    settled_at = since + case.timing.settle
    if scan is not None:
        found = case.unaccounted(scan)
        # Without a record nothing tells ours from a copied name but its age: read all of them.
        sure = case.operation is not None or not scan.unread or case.now >= settled_at
        if found and sure:
            return Settled(found)
        if _ripe(case, subjects) and case.desired.claim in scan.listed:
            return Settled((Found(case.desired.claim, "", 0.0),), chosen=True)
    message = (
        "A create request had no clear answer, or an earlier one left no record; looking at"
        " Together for what it made before anything else is done"
    )
    if silent(case, subjects):
        if case.record_lost and not everywhere(case.desired.spec, case.searched):
            return case.wait(Reason.CLAIMING, message, 0.0)  # to look at the other generation
        return Settled()
    due = _next_scan(case, scan, since, settled_at)
    if case.now >= due:
        looking = case.read(look(case, wanted, case.now), Reason.CLAIMING, message)
        refused = looking.situation.cause in (Reason.UNAUTHORIZED, Reason.FORBIDDEN)
        return other_key(case) if refused and keys.user not in (None, wanted) else looking
    if scan is not None and case.doubtful(scan) and scan.sent_at >= settled_at:
        return case.wait(Reason.INCONCLUSIVE_SCAN, _inconclusive(case, scan), due - case.now)
    return case.wait(Reason.CLAIMING, message, due - case.now)


def silent(case: Case, subjects: tuple[str, ...]) -> bool:
    """Whether two conclusive looks, each after its time, found nothing.

    Args:
        case: The resource.
        subjects: The nonces, or the lost record, that are in question.
    """
    settled_at = began(case, subjects) + case.timing.settle
    empties = [sent for sent in case.memory.empties if sent >= settled_at]
    return bool(empties) and empties[-1] - empties[0] >= case.timing.scan_gap


def said_none(case: Case, subjects: tuple[str, ...]) -> bool:
    """Whether a person says, in answer to a question that stands, that nothing was made.

    Args:
        case: The resource.
        subjects: The nonces, or the lost record, that are in question.
    """
    return case.answered_none and _ripe(case, subjects)


def _ripe(case: Case, subjects: tuple[str, ...]) -> bool:
    """Whether a person can know the answer: before an attempt has had its time, nobody can."""
    if not case.asking:
        return False
    if case.present_reason in _ASKED_LATE:
        return True
    return case.now >= began(case, subjects) + case.timing.settle


def began(case: Case, subjects: tuple[str, ...]) -> float:
    """When the settle time of unresolved attempts begins (create-once rule 7).

    Args:
        case: The resource.
        subjects: The nonces, or the lost record.
    """
    known = [case.memory.since(subject) for subject in subjects]
    return max(case.now if at is None else at for at in known)


def _date(case: Case) -> float | None:
    """Together's clock before the first open attempt, if it can be read."""
    if case.operation is None:
        return None
    try:
        return parse_time(case.operation.date)
    except ValueError:
        return None


def _inconclusive(case: Case, scan: Scan) -> str:
    """Say what a person has to decide when a scan proves nothing."""
    doubtful = case.doubtful(scan)
    return (
        "A create request had no clear answer, and Together lists endpoints of which it cannot be"
        f" told whether they are its result: {', '.join(doubtful[:5])}. Set the annotation"
        f" {names.CLAIM} to the id that belongs to this resource, or to 'none'"
    )


def _next_scan(case: Case, scan: Scan | None, since: float, settled_at: float) -> float:
    last = None if scan is None else scan.sent_at
    factor = case.timing.scan_gap / 5.0
    if last is None:
        return since + _PAUSES[0] * factor
    if last >= settled_at:
        pause = case.timing.scan_gap
        if scan is not None and case.doubtful(scan):
            pause = max(pause, case.timing.lag / 2)
        return last + pause
    elapsed = 0.0
    for pause in _PAUSES:
        elapsed += pause * factor
        if since + elapsed > last:
            return min(since + elapsed, settled_at)
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
    return other_key(case)


def other_key(case: Case) -> Decision:
    """Only another key than the one that an attempt was made with can be used.

    Args:
        case: The resource.
    """
    return case.wait(
        Reason.CREDENTIAL_MISMATCH,
        "A create request may yet take effect, and only the key that it was sent with can tell what"
        " it made; the one in the Secret is another. Put the former key back into the Secret, or,"
        f" if nothing is left at Together, set the annotation {names.CLAIM} to 'none'",
        # Nothing tells of a Secret that was put right.
        case.timing.lag,
    )
