"""Adoption: taking over an endpoint that somebody else made.

Nothing is ever ordered for it. The endpoint is read, compared with what the resource says, and
recorded only if no other resource and no mark says that it is somebody's. From then on the record
proves that it is ours, within the cluster; our mark, which is the first thing that is written on
it, says so to other clusters and to an operator that has lost the record.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.comparing import differences, known_weights, taken_over
from together_operator.core.looking import absence, details
from together_operator.core.marker import Marker
from together_operator.core.objecting import unsupported
from together_operator.core.settling import other_key
from together_operator.core.steps import Decision, KeepKey, List, Prepare, Record, Reserve, Wait
from together_operator.core.waiting import keyless
from together_operator.resource.endpoint_status import Operation, OperationPhase
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Endpoint
from together_operator.resource.times import format_time


def wanted(case: Case) -> str | None:
    """The endpoint that the resource is to take over, as long as it has not.

    Once it has, what is missing is replaced as `spec.onMissing` says, and not adopted again.

    Args:
        case: The resource.
    """
    adopt = case.desired.spec.adopt
    if adopt is None or case.record.endpoint_id is not None or case.record.adopted:
        return None
    return adopt.endpoint_id


def adopt(case: Case, endpoint_id: str) -> Decision:
    """One step towards taking over an endpoint: look, compare, reserve, record.

    Args:
        case: The resource, with nothing unresolved.
        endpoint_id: The endpoint that `spec.adopt` names.
    """
    looking = _key(case) or unsupported(case) or _present(case, endpoint_id) or known_weights(case)
    if looking is not None:
        return _as_adopting(case, looking)
    seen = case.memory.seen
    assert seen is not None  # noqa: S101
    why = differences(case, seen.endpoint) or _somebodys(case, seen.endpoint)
    if why is not None:
        due = seen.at + case.timing.settle
        if case.now >= due:
            return details(case, endpoint_id, Reason.ADOPTION_REFUSED, why)
        return _refused(case, endpoint_id, why, due - case.now)
    return _reserve(case, seen.endpoint) or _take(case, seen.endpoint, seen.at)


def _as_adopting(case: Case, decision: Decision) -> Decision:
    """Say what is being waited for in the words of an adoption."""
    if isinstance(decision.step, Wait) and decision.situation.reason is Reason.CREATING:
        return case.wait(Reason.ADOPTING, decision.situation.message, decision.step.after)
    return decision


def _refused(case: Case, endpoint_id: str, why: str, after: float) -> Decision:
    return case.wait(
        Reason.ADOPTION_REFUSED,
        f"{endpoint_id} is not taken over, and nothing was changed: {why}",
        after,
    )


def _key(case: Case) -> Decision | None:
    """The resource's own key, and no other, shows that the endpoint may be had."""
    reference, keys = case.desired.spec.api_key_secret_ref, case.observed.keys
    if reference is None:
        return case.wait(
            Reason.ADOPTION_REFUSED,
            "An endpoint is taken over with the resource's own key only. Set"
            " spec.apiKeySecretRef.name to a Secret of this namespace",
        )
    if keys.user is None:
        return keyless(case, "There is no key to look at the endpoint with")
    if keys.held in (None, keys.user):
        return None
    if case.open:
        return other_key(case)
    return case.step(KeepKey(keys.user), Reason.ADOPTING, "Keeping a copy of the key")


def _present(case: Case, endpoint_id: str) -> Decision | None:
    """Have a picture of the endpoint, or be sure that the key does not show one (I5)."""
    user, poll, memory = case.observed.keys.user or "", case.observed.poll, case.memory
    message = f"Looking at {endpoint_id}, which is to be taken over"
    if poll is None or poll.credential != user:
        return case.read(List(user, float("-inf")), Reason.ADOPTING, message)
    refresh = case.asked_again and memory.refreshed_for != case.desired.reconcile_requested_at
    if case.missing(endpoint_id) and not refresh:
        if not case.gone(endpoint_id):
            return absence(case, endpoint_id, Reason.ADOPTING, message)
        return _refused(
            case,
            endpoint_id,
            "with the key of spec.apiKeySecretRef Together shows no dedicated endpoint of this id."
            " Correct spec.adopt.endpointID (`together endpoints list` shows the ids), or use a key"
            " of the project that has the endpoint",
            case.timing.lag,
        )
    seen = memory.seen
    if seen is None or seen.endpoint.id != endpoint_id or refresh:
        return details(case, endpoint_id, Reason.ADOPTING, message)
    return None


def _somebodys(case: Case, endpoint: Endpoint) -> str | None:
    """Whose the endpoint is, as far as the record of this cluster and its own name tell."""
    if case.observed.holder is not None:
        return _of_holder(case.observed.holder)
    mark = _others_mark(case, endpoint)
    if mark is None:
        return None
    if mark.cluster != Marker.of(case.observed.cluster, "", "").cluster:
        return (
            f"its name carries '{mark}', the mark of a resource in another cluster. Delete that"
            " resource with spec.deletionPolicy Retain; if it is gone, take the mark off the"
            " endpoint's name at Together"
        )
    if (mark.owner, mark.nonce) in case.observed.buried:
        return (
            f"its name carries '{mark}', of a create request whose resource is gone, so it is about"
            " to be deleted. To keep it, take the mark off its name at Together"
        )
    return None


def _of_holder(holder: str) -> str:
    return (
        f"it belongs to the TogetherEndpoint {holder}. Delete that one with spec.deletionPolicy"
        " Retain, and this one takes the endpoint over by itself"
    )


def _others_mark(case: Case, endpoint: Endpoint) -> Marker | None:
    """The mark on an endpoint, if it is not this resource's."""
    mark = Marker.parse(endpoint.display_name)
    if mark is None or mark == _our_mark(case, mark.nonce):
        return None
    return mark


def _our_mark(case: Case, nonce: str) -> Marker:
    return Marker.of(case.observed.cluster, case.desired.uid, nonce)


def _reserve(case: Case, endpoint: Endpoint) -> Decision | None:
    """Ask the cluster itself who else has the endpoint, and be the one who takes it."""
    mark = _others_mark(case, endpoint)
    owner = None if mark is None else mark.owner
    known = case.memory.reservation
    if known is not None and (known.endpoint_id, known.owner) == (endpoint.id, owner):
        ours = known.holder is None and (owner is None or known.complete)
        due = known.at + (case.timing.lag if ours else case.timing.settle)
        if case.now < due and ours:
            return None
        if case.now < due and known.holder is not None:
            return _refused(case, endpoint.id, _of_holder(known.holder), due - case.now)
        if case.now < due:
            why = (
                f"its name carries '{mark}', the mark of a resource that this operator does not"
                " know; it may live in a namespace that is not served here. If it is gone, take"
                " the mark off the endpoint's name at Together"
            )
            return _refused(case, endpoint.id, why, due - case.now)
    return case.step(
        Reserve(case.credential or "", endpoint.id, owner),
        Reason.ADOPTING,
        f"Looking who else may have {endpoint.id}",
    )


def _take(case: Case, endpoint: Endpoint, read_at: float) -> Decision:
    """Key copy, finalizer, and the record, which rests on a fresh picture."""
    user, desired = case.observed.keys.user or "", case.desired
    if case.observed.keys.held != user:
        return case.step(KeepKey(user), Reason.ADOPTING, "Keeping a copy of the key")
    if not case.held or desired.owner_uid != desired.uid:
        return case.step(Prepare(), Reason.ADOPTING, "Taking responsibility for the resource")
    if case.now > read_at + case.timing.fence:
        return _as_adopting(
            case, details(case, endpoint.id, Reason.ADOPTING, "Looking at it once more")
        )
    return _record(case, endpoint)


def _record(case: Case, endpoint: Endpoint) -> Decision:
    """Bind the endpoint to this resource."""
    before, poll = case.operation, case.observed.poll
    mark = Marker.parse(endpoint.display_name)
    others = _others_mark(case, endpoint)
    operation = Operation(
        phase=OperationPhase.DONE,
        uid=case.desired.uid,
        cluster=case.observed.cluster,
        credential=case.credential or "",
        nonce=mark.nonce if mark is not None and others is None else case.observed.nonce,
        date=format_time(poll.date if poll is not None else case.desired.created_at),
        former_marker=None if others is None else str(others),
    )
    if before is not None:
        # What earlier requests may yet make is still to be looked for, as far back as they go.
        operation = operation.model_copy(update={"open": before.open, "removing": before.removing})
        if before.open:
            operation = operation.model_copy(update={"date": before.date})
    status = case.record.model_copy(
        update={
            "operation": operation,
            "endpoint_id": endpoint.id,
            "api": case.observed.api,
            "deployments": taken_over(endpoint),
            "adopted": True,
            # It may have been asked of another resource with this manifest: do not start.
            "last_handled_restart_at": case.desired.restart_requested_at,
        }
    )
    return case.step(
        Record(status), Reason.ADOPTING, f"Took over {endpoint.id}, as spec.adopt says"
    )


def recognise(case: Case) -> Decision | None:
    """After the record was lost: the mark on the endpoint that `spec.adopt` names tells.

    It may be far older than the resource, so that no scan looks at it.

    Args:
        case: The resource, whose record is lost.

    Returns:
        The step, or `None` if the endpoint is gone or does not carry our mark.
    """
    endpoint_id = wanted(case)
    if endpoint_id is None or not case.record_lost or case.credential is None:
        return None
    message = f"The record is lost; looking whether {endpoint_id} carries this resource's mark"
    poll, seen = case.observed.poll, case.memory.seen
    if poll is None or poll.credential != case.credential:
        return case.read(List(case.credential, float("-inf")), Reason.ADOPTING, message)
    if case.missing(endpoint_id):
        if case.gone(endpoint_id):
            return None
        return _as_adopting(case, absence(case, endpoint_id, Reason.ADOPTING, message))
    if seen is None or seen.endpoint.id != endpoint_id:
        return _as_adopting(case, details(case, endpoint_id, Reason.ADOPTING, message))
    mark = Marker.parse(seen.endpoint.display_name)
    if mark is None or mark != _our_mark(case, mark.nonce):
        return None
    return _record(case, seen.endpoint)


# -- once it is ours -------------------------------------------------------------------------------


def disowned(case: Case, endpoint: Endpoint) -> Marker | None:
    """The mark of somebody else who has taken the endpoint over since, if there is one.

    Two clusters know nothing of each other: of two that take over the same endpoint, the one whose
    mark is on it has it.

    Args:
        case: The resource.
        endpoint: Its endpoint, as last read.
    """
    mark = _others_mark(case, endpoint) if case.record.adopted else None
    operation = case.operation
    if mark is None or (operation is not None and str(mark) == operation.former_marker):
        return None
    return mark


def yielded(case: Case, endpoint: Endpoint) -> Decision | None:
    """Leave an endpoint alone that has become somebody else's, or that may have.

    Args:
        case: The resource, living.
        endpoint: Its endpoint, as last read.

    Returns:
        The decision, or `None` if it is ours.
    """
    if not case.record.adopted:
        return None
    memory, settle = case.memory, case.timing.settle
    mark = disowned(case, endpoint)
    if mark is None:
        # What another one had on its way when ours arrived has arrived by then.
        due = None if memory.marked_at is None else memory.marked_at + settle
        if due is None or memory.details_at >= due:
            return None
        if case.now >= due:
            return details(case, endpoint.id, case.present_reason, "Reading the endpoint")
        return None
    due = memory.details_at + settle
    why = (
        f"{endpoint.id} carries '{mark}' now, the mark of a resource that has taken it over, so it"
        " is left alone here. Delete this resource, which leaves the endpoint as it is; or delete"
        " the other one and take its mark off the endpoint's name at Together"
    )
    if case.now >= due:
        return details(case, endpoint.id, Reason.ENDPOINT_CONFLICT, why)
    return case.wait(Reason.ENDPOINT_CONFLICT, why, due - case.now)


def unmarked(case: Case, endpoint: Endpoint) -> bool:
    """Whether an adopted endpoint has still to be given our mark, before all else.

    Args:
        case: The resource.
        endpoint: Its endpoint, as last read.
    """
    operation = case.operation
    if case.observed.deploys:
        return False  # there is nothing on it that could be marked
    if not case.record.adopted or case.observed.markers_lost or operation is None:
        return False
    mark = Marker.parse(endpoint.display_name)
    return not operation.markers_lost and (mark is None or _others_mark(case, endpoint) is not None)


def fresh(case: Case, endpoint_id: str) -> Decision | None:
    """Look once more before a write that rests on nobody else's mark being there.

    Args:
        case: The resource.
        endpoint_id: Its endpoint.
    """
    if case.now <= case.memory.details_at + case.timing.fence:
        return None
    return details(case, endpoint_id, case.present_reason, "Reading the endpoint")
