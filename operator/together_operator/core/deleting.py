"""Delete: what has to be true before the resource may go.

A deletion promises that nothing is left behind and nothing will still come to life (I2). So it
first settles what is unresolved, then carries out the policy, then looks whether anything with
our mark is left.
"""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.adopting import disowned, recognise
from together_operator.core.case import Case
from together_operator.core.claiming import claim
from together_operator.core.deploying import own_ids, recognise_deployment
from together_operator.core.dismantling import dismantle, foreign
from together_operator.core.leaving import owed, stop, trim, unrecorded
from together_operator.core.looking import details
from together_operator.core.naming import ours
from together_operator.core.parting import blocked, farewell, left_behind, regardless, released
from together_operator.core.removing import newly_proven, remove
from together_operator.core.scan import Found
from together_operator.core.settling import began, look, settle
from together_operator.core.steps import Decision, Finish, KeepKey, Vet, Wait
from together_operator.core.uprooting import find_definition, uprooted
from together_operator.core.writes import about_the_key
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.reasons import KEY_REFUSALS, Reason
from together_operator.resource.remote import Endpoint
from together_operator.resource.spec import DeletionPolicy

UNRESOLVED = "unresolved"
"""The answer that lets go of attempts whose outcome nobody knows."""


def delete(case: Case) -> Decision:
    """One step towards the finalizer coming off.

    Args:
        case: The resource, being deleted and still held by our finalizer.
    """
    policy = _fate(case)
    if isinstance(policy, Decision):
        return policy
    if case.desired.spec.suspend and policy is DeletionPolicy.RETAIN and owed(case):
        return case.wait(
            Reason.DELETION_SUSPENDED,
            f"Deleted while suspended: {', '.join(owed(case))}, which a replacement has left beside"
            " what serves, is still to be removed. Set spec.suspend to false to go on",
        )
    if case.desired.spec.suspend and policy is not DeletionPolicy.RETAIN:
        return case.wait(
            Reason.DELETION_SUSPENDED,
            "Deleted while suspended: the endpoint is left as it is and the resource stays. Set"
            " spec.suspend to false to go on, or spec.deletionPolicy to Retain to let go of it",
        )
    if _untouched(case):
        return _finish(case, policy)
    return (
        _without_key(case, policy)
        or _other_key(case)
        or _settle(case)
        or _carry_out(case, policy)
        or _extras(case)
        or _last_look(case, policy)
        or _finish(case, policy)
    )


def _fate(case: Case) -> DeletionPolicy | Decision:
    """What becomes of the endpoint: what the person says, unless nobody says anything of it."""
    policy = case.desired.policy(adopted=bool(case.record.adopted))
    nothing = policy is DeletionPolicy.RETAIN and not owed(case) and not unrecorded(case)
    if nothing or case.desired.leaving or _untouched(case):
        return policy
    return find_definition(case) or (DeletionPolicy.RETAIN if uprooted(case) else policy)


def _untouched(case: Case) -> bool:
    """Whether it is certain that no attempt ever reached Together."""
    operation = case.operation
    if operation is None:
        return not case.record_lost
    nothing_left = case.record.endpoint_id is None and not operation.removing
    if operation.open or not nothing_left:
        return False
    return operation.phase is OperationPhase.REFUSED or case.nothing_sent


def _retained(case: Case, policy: DeletionPolicy) -> bool:
    """Whether nothing has to be done or known: the endpoint stays, and nothing else can come."""
    operation = case.operation
    known = operation is not None and case.record.endpoint_id is not None
    clean = operation is not None and not operation.open and not operation.removing
    clean = clean and not owed(case)
    return policy is DeletionPolicy.RETAIN and known and clean


def _finish(case: Case, policy: DeletionPolicy) -> Decision:
    operation = case.operation
    nonces = case.open
    if operation is not None and case.unresolved == operation.nonce and not case.nothing_sent:
        nonces = (*nonces, operation.nonce)
    left = left_behind(case, policy)
    message = "Nothing is left at Together; letting the resource go"
    if left is not None:
        message = farewell(case, policy, left)
    credential = operation.credential if operation else None
    step = Finish(nonces, credential, left, released(case, nonces))
    return case.step(step, Reason.DELETING, message)


def _released(case: Case, what: str) -> bool:
    return what in case.desired.release


def _responsibility(case: Case) -> str:
    return case.record.endpoint_id or UNRESOLVED


def _without_key(case: Case, policy: DeletionPolicy) -> Decision | None:
    """Without a key nothing can be confirmed; say what would help."""
    if case.credential is not None or _released(case, _responsibility(case)):
        return None
    if _retained(case, policy):
        return None
    trouble = case.observed.keys.trouble
    why = trouble.message if trouble else "There is no key"
    what = case.record.endpoint_id or "an endpoint that an attempt may have made"
    if policy is DeletionPolicy.RETAIN and owed(case):
        what = f"{', '.join(owed(case))}, which a replacement has left beside what serves,"
    return blocked(case, f"{why}, so {what} cannot be removed", _responsibility(case))


def _other_key(case: Case) -> Decision | None:
    """Where the held key is refused, the person's new one may do, if it sees the endpoint."""
    keys, endpoint_id = case.observed.keys, case.record.endpoint_id
    if keys.held is None or keys.user in (None, keys.held):
        return None
    trouble = case.memory.trouble_of(keys.held)
    silent = trouble is not None and trouble.what.reason in KEY_REFUSALS
    if not silent and not any(map(about_the_key, case.memory.rejections)):
        return None
    if endpoint_id is None or case.open or _released(case, endpoint_id):
        return None
    vetting, new = case.memory.vetting, keys.user or ""
    if vetting is None or vetting.credential != new or case.now >= vetting.at + case.timing.lag:
        trying = case.read(Vet(new, endpoint_id), Reason.DELETING, "Trying the new key")
        return None if isinstance(trying.step, Wait) else trying
    if not isinstance(vetting.verdict, Endpoint):
        return None
    return case.step(KeepKey(new), Reason.DELETING, "Taking the new key into use")


_PASSING = frozenset({Reason.CLAIMING, Reason.RATE_LIMITED, Reason.UNREACHABLE})
"""Situations on the way that pass by themselves."""


def _telling(case: Case, decision: Decision) -> Decision:
    """Turn what is on the way into what a person who deletes has to know."""
    situation, step = decision.situation, decision.step
    if not isinstance(step, Wait):
        return decision
    if situation.reason in (Reason.DELETING, Reason.DELETION_BLOCKED) and not situation.keep:
        return decision
    passing = situation.keep or situation.reason in _PASSING or _is_busy(situation.reason)
    if not passing or case.observed.unsynced >= case.timing.grace:
        told = blocked(case, situation.message, _responsibility(case), step.after)
        return replace(told, situation=replace(told.situation, cause=situation.cause))
    message = f"Deleting; {'looking at Together' if situation.keep else situation.message}"
    if situation.cause is not None:
        # Nobody has to wait until it counts as blocked to learn how to get past it.
        message = regardless(message, _responsibility(case))
    return case.wait(Reason.DELETING, message, step.after, cause=situation.cause)


def _is_busy(reason: Reason) -> bool:
    """Whether a refusal says no more than that the endpoint is busy at the moment."""
    return reason in (Reason.STOPPING, Reason.STARTING, Reason.SCALING, Reason.UPDATING)


def _settle(case: Case) -> Decision | None:
    """An unfinished create is resolved first."""
    if case.nothing_sent and not case.open:
        return None
    unresolved = None if case.nothing_sent else case.unresolved
    subjects = tuple(filter(None, (unresolved, *case.open)))
    if not subjects or _released(case, UNRESOLVED):
        return None
    if unresolved is None and case.record.endpoint_id is not None:
        return _settle_open(case, subjects)
    recognised = recognise(case)
    if recognised is not None:
        return _telling(case, recognised)
    verdict = settle(case, subjects)
    if isinstance(verdict, Decision):
        return _telling(case, verdict)
    if verdict.found and case.record.endpoint_id is None:
        return claim(case, verdict)
    return None


def _settle_open(case: Case, subjects: tuple[str, ...]) -> Decision | None:
    """Open nonces beside a recorded endpoint need their time as well."""
    due = began(case, subjects) + case.timing.settle
    if case.now >= due:
        return None
    return case.wait(
        Reason.DELETING,
        "Deleting; an earlier create request may yet take effect, waiting for it",
        due - case.now,
    )


def _carry_out(case: Case, policy: DeletionPolicy) -> Decision | None:
    """Do to the recorded endpoint what the policy says."""
    endpoint_id = case.record.endpoint_id
    if endpoint_id is None or _released(case, endpoint_id) or case.observed.rival is not None:
        return None
    if policy is DeletionPolicy.RETAIN:
        trimming = trim(case, endpoint_id)
        return None if trimming is None else _telling(case, trimming)
    if case.record.adopted and not case.missing(endpoint_id):
        # Another cluster may have taken it over since: its mark is looked for before all else.
        endpoint, began_at = case.endpoint, case.memory.ending or case.now
        if endpoint is None or case.memory.details_at < began_at:
            message = f"Looking whose {endpoint_id} is"
            return _telling(case, details(case, endpoint_id, Reason.DELETING, message))
        if disowned(case, endpoint) is not None:
            return None
    if policy is DeletionPolicy.DELETE:
        decision = _taken_apart(case, endpoint_id) or remove(case, endpoint_id, Reason.DELETING)
    else:
        decision = stop(case, endpoint_id)
    return None if decision is None else _telling(case, decision)


def _taken_apart(case: Case, endpoint_id: str) -> Decision | None:
    """What runs in an endpoint goes before the endpoint does."""
    if not case.observed.deploys or case.missing(endpoint_id):
        return None
    endpoint = case.endpoint
    message = f"Looking what runs in {endpoint_id}"
    if endpoint is None or case.memory.details_at < (case.memory.ending or case.now):
        return details(case, endpoint_id, Reason.DELETING, message)
    left = recognise_deployment(case, endpoint) or dismantle(
        case, endpoint, own_ids(case, endpoint), Reason.DELETING
    )
    strangers = foreign(case, endpoint)
    if left is not None or not strangers:
        return left
    first, whose = strangers[0], "bears this resource's mark, but no request on record made it"
    return blocked(
        case,
        f"{endpoint_id} holds {first.id} ('{first.name}'), which"
        f" {whose if ours(case, first) else 'this operator did not make'}, so it is not deleted."
        " Delete it at Together, and the endpoint goes by itself",
        endpoint_id,
        case.timing.lag,
    )


def _extras(case: Case) -> Decision | None:
    operation = case.operation
    for endpoint_id in operation.removing if operation else ():
        if _released(case, endpoint_id) or case.gone(endpoint_id):
            continue
        if case.desired.spec.suspend:
            return case.wait(
                Reason.DELETION_SUSPENDED,
                f"Deleted while suspended: {endpoint_id}, a surplus endpoint of this resource, is"
                " still to be removed. Set spec.suspend to false to go on",
            )
        decision = remove(case, endpoint_id, Reason.DELETING)
        if decision is not None:
            return _telling(case, decision)
    return None


def _last_look(case: Case, policy: DeletionPolicy) -> Decision | None:
    """Never finish while anything listed carries our uid."""
    operation, credential = case.operation, case.credential
    if _released(case, _responsibility(case)) or credential is None:
        return None
    scan = case.memory.scan
    earliest = _looked_enough(case)
    message = "Looking whether anything is left"
    if scan is None or scan.credential != credential or scan.sent_at < earliest:
        decision = case.read(look(case, credential, earliest), Reason.DELETING, message)
        if _retained(case, policy) and isinstance(decision.step, Wait):
            return None
        return _telling(case, decision)
    kept = {case.record.endpoint_id} if policy is not DeletionPolicy.DELETE else set()
    if case.observed.rival is not None:
        kept.add(case.record.endpoint_id)
    left = [found for found in scan.ours if not _settled_away(case, found, kept)]
    unread = [i for i in scan.unread if i not in kept and not _released(case, i)]
    if not left and unread and not _retained(case, policy):
        due = scan.sent_at + case.timing.scan_gap
        if case.now >= due:
            return _telling(
                case, case.read(look(case, credential, case.now), Reason.DELETING, message)
            )
        told = f"{unread[0]} cannot be read, so it is not known whether it is this resource's"
        return case.wait(Reason.DELETING, f"Deleting; {told}", due - case.now)
    if not left:
        return None
    proven = newly_proven(case, left)
    if proven is not None:
        return proven
    found = left[0]
    removing = operation is not None and found.id in operation.removing
    if removing or case.now >= scan.sent_at + case.timing.lag:
        return _telling(case, case.read(look(case, credential, case.now), Reason.DELETING, message))
    return blocked(
        case,
        f"{found.id} carries this resource's mark, but no request on record made it, so it is not"
        " deleted. Delete it at Together if it is not needed",
        found.id,
        scan.sent_at + case.timing.lag - case.now,
    )


def _settled_away(case: Case, found: Found, kept: set[str | None]) -> bool:
    return found.id in kept or case.gone(found.id) or _released(case, found.id)


def _looked_enough(case: Case) -> float:
    """The time at which the last look must have been sent, at the earliest."""
    ending = case.memory.ending
    earliest = case.now if ending is None else ending
    endpoint_id = case.record.endpoint_id
    absence = case.memory.absence(endpoint_id) if endpoint_id else None
    if absence is not None:
        earliest = max(earliest, absence.first)
    if case.open and not _released(case, UNRESOLVED):
        earliest = max(earliest, began(case, case.open) + case.timing.settle)
    return earliest
