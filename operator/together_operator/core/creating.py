"""Create: how an endpoint comes into being exactly once.

There is no idempotency key, so the order is everything: key copy, finalizer, record, POST, and
an ambiguous outcome is settled by evidence before there is another attempt (create-once rules 1
to 10).
"""

from __future__ import annotations

from together_operator.core.adopting import adopt, recognise, wanted
from together_operator.core.case import Case
from together_operator.core.causes import PASSING, cause
from together_operator.core.claiming import claim, new_operation, nothing_made
from together_operator.core.marker import Marker
from together_operator.core.naming import deployment_name, named
from together_operator.core.objecting import objection, unsupported
from together_operator.core.replacing import not_replaced, returned, still_gone
from together_operator.core.scan import Found
from together_operator.core.settling import Settled, look, other_key, said_none, settle
from together_operator.core.steps import Create, Decision, KeepKey, List, Prepare, Record
from together_operator.core.waiting import keyless, still_refused
from together_operator.resource import names
from together_operator.resource.endpoint_status import (
    Applied,
    Operation,
    OperationPhase,
    Refusal,
    StatusAutoscaling,
)
from together_operator.resource.reasons import KEY_REFUSALS, Reason
from together_operator.resource.remote import Done, Endpoint, Order, Refused
from together_operator.resource.spec import Api, State
from together_operator.resource.status import Status

MAX_AMBIGUOUS = 3
"""Attempts without a clear answer, after which a person is asked."""


def write_down(case: Case) -> Decision | None:
    """Record what Together answered to a POST, before anything else happens.

    Args:
        case: The resource.

    Returns:
        The step, or `None` if there is no answer to record.
    """
    answer, operation = case.memory.answer, case.operation
    if answer is None or operation is None or answer.nonce != operation.nonce:
        return None
    if case.record.endpoint_id is not None or operation.phase is not OperationPhase.OPEN:
        return None
    match answer.outcome:
        case Done(endpoint=Endpoint() as endpoint):
            return case.step(
                Record(_made(case, operation, answer.order, endpoint)),
                Reason.CREATING,
                f"Together accepted the order as {endpoint.id}",
            )
        case Refused(reason=Reason.V1_CLOSED) if _may_move(case) and not operation.open:
            # Said at once, so that nobody is told of a dead end that is none.
            refused = operation.model_copy(update={"phase": OperationPhase.REFUSED})
            return _moved(case, refused)
        case Refused(reason=reason, message=message):
            # Of the generation that was refused: a correction made meanwhile is tried at once.
            refusal = Refusal(reason=reason, message=message, generation=answer.generation)
            refused = operation.model_copy(
                update={"phase": OperationPhase.REFUSED, "refusal": refusal}
            )
            return case.step(
                Record(case.record.model_copy(update={"operation": refused})),
                Reason.CREATING if reason is Reason.V1_CLOSED and _may_move(case) else reason,
                message,
                cause=cause(reason),
            )
        case _:
            return None


def create(case: Case) -> Decision:
    """The way from nothing to a recorded endpoint.

    Args:
        case: The resource, without a recorded endpoint.
    """
    operation, unresolved = case.operation, case.unresolved
    known = recognise(case) or returned(case)
    if known is not None:
        return known
    if unresolved is None:
        if operation is None:
            return attempt(case)
        if operation.open and said_none(case, operation.open):
            return nothing_made(case)
        return _after_refusal(case, operation)
    if operation is not None and case.nothing_sent:
        return _send(case, operation)
    verdict = settle(case, (unresolved,))
    if isinstance(verdict, Decision):
        return verdict
    if verdict.found:
        return claim(case, verdict)
    if verdict.chosen:
        return nothing_made(case)
    if operation is None:
        return attempt(case)
    return _next_attempt(case, operation)


def _made(case: Case, operation: Operation, order: Order, endpoint: Endpoint) -> Status:
    """The record of an endpoint that Together acknowledged."""
    marked = case.observed.deploys or Marker.parse(endpoint.display_name) is not None
    done = operation.model_copy(
        update={
            "phase": OperationPhase.DONE,
            "refusal": None,
            "markers_lost": None if marked else True,
            # Nothing runs in it yet; what is to run goes on record along with it.
            "deploying": deployment_name(case) if case.observed.deploys else None,
        }
    )
    speculative = {None: None, True: "Enabled", False: "Disabled"}[order.speculative_decoding]
    return case.record.model_copy(
        update={
            "operation": done,
            "endpoint_id": endpoint.id,
            "api": case.observed.api,
            "applied": Applied(
                display_name=order.display_name,
                autoscaling=StatusAutoscaling(
                    min_replicas=order.bounds.min, max_replicas=order.bounds.max
                ),
                inactive_timeout_minutes=order.inactive_timeout_minutes,
                speculative_decoding=speculative,
                availability_zone=order.availability_zone,
                state=State.STARTED if order.started else State.STOPPED,
            ),
        }
    )


def attempt(case: Case, open_: tuple[str, ...] = (), counted: int = 0) -> Decision:
    """Everything that has to be true before a POST, one step at a time (rule 1).

    All ways to a POST lead through here, so this is where an adopting resource turns off.

    Args:
        case: The resource.
        open_: Earlier nonces that may yet take effect.
        counted: How many attempts had no clear answer so far.
    """
    desired, observed = case.desired, case.observed
    user = observed.keys.user
    adoptable = wanted(case)
    if adoptable is not None:
        return adopt(case, adoptable)
    if desired.spec.suspend:
        return case.wait(
            Reason.SUSPENDED,
            "Nothing is created while spec.suspend is true",
        )
    refused = unsupported(case) or not_replaced(case) or still_gone(case)
    if refused is not None:
        return refused
    if user is None:
        return keyless(case, "There is no key to create it with")
    if open_ and case.operation is not None and case.operation.credential != user:
        return other_key(case)
    objected = objection(case)
    if objected is not None:
        return objected
    if observed.keys.held in (None, user) and not _looked(case, user):
        # First of all: a key with which nothing can be seen must not leave a finalizer behind,
        # which nothing could then take off.
        return case.read(
            List(user, float("-inf")), Reason.CREATING, "Asking Together for its clock"
        )
    known = named(case) if observed.deploys else None
    if isinstance(known, Decision):
        return known
    if observed.keys.held != user:
        return case.step(KeepKey(user), Reason.CREATING, "Keeping a copy of the key")
    if not case.held or desired.owner_uid != desired.uid:
        return case.step(Prepare(), Reason.CREATING, "Taking responsibility for the resource")
    if known is not None:
        return claim(case, Settled((known,)))
    paused = case.paused(user)
    if paused is not None:
        return paused
    operation = new_operation(case, observed.nonce).model_copy(
        update={"attempts": counted, "open": open_}
    )
    if case.operation is not None:
        former = {"replaces": case.operation.replaces, "v1_closed": case.operation.v1_closed}
        operation = operation.model_copy(update=former)
        if open_:
            operation = operation.model_copy(update={"date": case.operation.date})
    update: dict[str, object] = {"operation": operation}
    if observed.deploys:
        # The choice of the generation is on record before anything is made in it.
        update["api"] = observed.api
    return _ordering(case, Record(case.record.model_copy(update=update)))


def _looked(case: Case, credential: str) -> bool:
    poll = case.observed.poll
    return poll is not None and poll.credential == credential


def _ordering(case: Case, step: Record) -> Decision:
    """Order the endpoint; what refused the last attempt is told until an answer says otherwise.

    Otherwise the words would go to and fro with each attempt, and how long a key has been refused
    could not be told.
    """
    refusal = case.operation.refusal if case.operation else None
    same = refusal is not None and refusal.generation == case.desired.generation
    if refusal is not None and same and refusal.reason in PASSING and not case.asked_again:
        reason = Reason(refusal.reason)
        return case.step(step, reason, refusal.message, cause=cause(reason))
    return case.step(step, Reason.CREATING, "Ordering the endpoint from Together")


def _send(case: Case, operation: Operation) -> Decision:
    """POST under the record that this process has just written, while it is fresh (rule 4)."""
    fence = case.memory.fence
    keys, forbidden = case.observed.keys, case.observed.forbidden
    fresh = fence is not None and case.now - fence.began <= case.timing.fence
    allowed = not case.desired.spec.suspend and forbidden is None
    allowed = allowed and wanted(case) is None and not_replaced(case) is None
    if not (fresh and allowed and keys.user == keys.held == operation.credential):
        return attempt(case, operation.open, operation.attempts)
    paused = case.paused(operation.credential)
    if paused is not None:
        return paused
    marker = Marker.of(case.observed.cluster, case.desired.uid, operation.nonce)
    started = case.desired.started and not case.observed.deploys
    name = case.endpoint_name if case.observed.deploys else ""
    order = case.desired.order(marker, started=started, name=name)
    return case.step(
        Create(operation.credential, operation.nonce, order),
        Reason.CREATING,
        "Ordering the endpoint from Together",
    )


def _next_attempt(case: Case, operation: Operation) -> Decision:
    """After an attempt that made nothing (rule 9)."""
    if case.observed.markers_lost:
        return _still_claiming(
            case,
            operation,
            Reason.MARKERS_LOST,
            "A create request had no clear answer, and Together does not return display names as"
            " they were sent, so that its result cannot be recognised. Look at the account, then"
            f" set the annotation {names.CLAIM} to the endpoint's id, or to 'none'",
        )
    counted = operation.attempts + 1
    if counted >= MAX_AMBIGUOUS:
        return _still_claiming(
            case,
            operation,
            Reason.ATTEMPTS_EXHAUSTED,
            f"{counted} create requests in a row had no clear answer, and nothing they made is to"
            " be seen. Look at the account and at Together's status, then set the annotation"
            f" {names.CLAIM} to an endpoint's id, or to 'none' to try again",
        )
    return attempt(case, (*operation.open, operation.nonce), counted)


def _still_claiming(case: Case, operation: Operation, reason: Reason, message: str) -> Decision:
    """A person is asked, and looking goes on meanwhile."""
    scan = case.memory.scan
    due = case.now if scan is None else scan.sent_at + case.timing.lag
    if case.now >= due:
        return case.read(look(case, operation.credential, case.now), reason, message)
    return case.wait(reason, message, due - case.now)


def _after_refusal(case: Case, operation: Operation) -> Decision:
    """Try again if something changed, or if the refusal may have passed by itself."""
    refusal = operation.refusal
    again = (operation.open, operation.attempts)
    if refusal is None or refusal.generation != case.desired.generation or case.asked_again:
        return attempt(case, *again)
    if refusal.reason not in set(Reason):
        # Of another version of the operator; its answer in this version's words is worth a try.
        return attempt(case, *again)
    reason = Reason(refusal.reason)
    if reason is Reason.V1_CLOSED and case.desired.spec.api is Api.AUTO:
        # Where nothing is open in v1 any more, the next look is at v2 already.
        return attempt(case, *again) if case.observed.deploys else _move(case, operation)
    if reason is Reason.NAME_TAKEN:
        return _name_taken(case, operation, refusal)
    if reason in KEY_REFUSALS and case.observed.keys.user not in (None, operation.credential):
        return attempt(case, *again)
    return still_refused(case, "create", refusal) or attempt(case, *again)


def _may_move(case: Case) -> bool:
    """Whether a refusal of the first generation leads to the second."""
    return case.desired.spec.api is Api.AUTO and not case.observed.deploys


def _move(case: Case, operation: Operation) -> Decision:
    """Leave v1, which is closed, once nothing that was sent there can come true (rule 9)."""
    if operation.open:
        verdict = settle(case, operation.open)
        if isinstance(verdict, Decision):
            return verdict
        if verdict.found:
            return claim(case, verdict)
    return _moved(case, operation)


def _moved(case: Case, operation: Operation) -> Decision:
    """The choice is on record before anything is made in the second generation."""
    moved = operation.model_copy(update={"refusal": None, "attempts": 0, "v1_closed": True})
    return case.step(
        Record(case.record.model_copy(update={"operation": moved, "api": Api.V2.value})),
        Reason.CREATING,
        "Together has closed API v1 to this account; ordering the endpoint from API v2",
    )


def _name_taken(case: Case, operation: Operation, refusal: Refusal) -> Decision:
    """Whose the endpoint is that has our name, once a LIST shows it; or the name is free again."""
    rejection = case.memory.rejection("create")
    since = (case.memory.born if rejection is None else rejection.at) + case.timing.lag
    key, poll = operation.credential, case.observed.poll
    if key not in (case.observed.keys.held, case.observed.keys.user):
        return attempt(case, operation.open, operation.attempts)
    if poll is None or poll.credential != key:
        return case.read(List(key, float("-inf")), Reason.NAME_TAKEN, refusal.message)
    known = named(case)
    if isinstance(known, Found):
        return claim(case, Settled((known,)))
    if known is not None:
        return known
    if case.now < since:
        return case.wait(Reason.NAME_TAKEN, refusal.message, since - case.now)
    if poll.sent_at < since:
        return case.read(List(key, since), Reason.NAME_TAKEN, refusal.message)
    return attempt(case, operation.open, operation.attempts)
