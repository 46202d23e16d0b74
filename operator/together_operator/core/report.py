"""What the status says: the table of situations, and the mirror of what is true at Together.

The table is a contract with kubectl, Helm, Flux and Argo CD. `Ready` says that this generation is
carried out and that neither the operator nor a person has anything left to do; `Available` says
that a request sent now is answered; `Stalled` says that a person must act.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from together_operator.core.case import Case
from together_operator.core.copies import former_owner
from together_operator.core.deploying import as_known
from together_operator.core.observed import Link
from together_operator.core.steps import Decision, Record, Situation, Step, Wait
from together_operator.resource import names
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import Endpoint, Phase
from together_operator.resource.status import (
    Condition,
    Inference,
    OperationPhase,
    Price,
    Status,
    StatusAutoscaling,
)
from together_operator.resource.times import format_time

_KEEP = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; `None` keeps what a condition says.

    Attributes:
        ready: Ready.
        reconciling: Reconciling.
        stalled: Stalled.
    """

    ready: bool | None
    reconciling: bool
    stalled: bool


_AT_WORK = Row(ready=False, reconciling=True, stalled=False)
_AT_REST = Row(ready=True, reconciling=False, stalled=False)
_A_PERSON = Row(ready=False, reconciling=False, stalled=True)
_ON_HOLD = Row(ready=False, reconciling=False, stalled=False)
_AS_BEFORE = Row(ready=_KEEP, reconciling=False, stalled=False)

ROWS: dict[Reason, Row] = {
    Reason.CREATING: _AT_WORK,
    Reason.CLAIMING: _AT_WORK,
    Reason.ADOPTING: _AT_WORK,
    Reason.SCALING: _AT_WORK,
    Reason.STARTING: _AT_WORK,
    Reason.STOPPING: _AT_WORK,
    Reason.RENAMING: _AT_WORK,
    Reason.REPLACING: _AT_WORK,
    Reason.UPDATING: _AT_WORK,
    Reason.PROBING: _AT_WORK,
    Reason.WAITING_FOR_CAPACITY: _AT_WORK,
    Reason.RATE_LIMITED: _AT_WORK,
    Reason.UNREACHABLE: _AT_WORK,
    Reason.SECRET_MISSING: _AT_WORK,
    Reason.UNAUTHORIZED: _AT_WORK,
    Reason.FORBIDDEN: _AT_WORK,
    Reason.PAYMENT_REQUIRED: _AT_WORK,
    Reason.SERVING: _AT_REST,
    Reason.STOPPED: _AT_REST,
    Reason.IDLE_STOPPED: _AT_REST,
    Reason.STOPPED_REMOTELY: _A_PERSON,
    Reason.V1_CLOSED: _A_PERSON,
    Reason.INVALID_MODEL: _A_PERSON,
    Reason.INVALID_HARDWARE: _A_PERSON,
    Reason.INVALID_ZONE: _A_PERSON,
    Reason.CONFIG_REQUIRED: _A_PERSON,
    Reason.INVALID_REQUEST: _A_PERSON,
    Reason.NOT_ALLOWED: _A_PERSON,
    Reason.UNSUPPORTED: _A_PERSON,
    Reason.NAME_TAKEN: _A_PERSON,
    Reason.ENDPOINT_CONFLICT: _A_PERSON,
    Reason.CREDENTIAL_MISMATCH: _A_PERSON,
    Reason.RESTORED_COPY: _A_PERSON,
    Reason.ADOPTION_REFUSED: _A_PERSON,
    Reason.REMOTE_MISSING: _A_PERSON,
    Reason.ATTEMPTS_EXHAUSTED: _A_PERSON,
    Reason.INCONCLUSIVE_SCAN: _A_PERSON,
    Reason.MARKERS_LOST: _A_PERSON,
    Reason.ENDPOINT_FAILED: _A_PERSON,
    Reason.REPLACEMENT_FAILED: _A_PERSON,
    Reason.CONNECTION_CONFLICT: _A_PERSON,
    Reason.SUSPENDED: _ON_HOLD,
    Reason.DELETING: _AT_WORK,
    Reason.DELETION_BLOCKED: _A_PERSON,
    Reason.DELETION_SUSPENDED: _ON_HOLD,
}

GRACED = frozenset(
    {Reason.SECRET_MISSING, Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.PAYMENT_REQUIRED}
)
"""Situations in which somebody may be at work already; they stall only after the grace time."""

_QUIET = frozenset({Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.SUSPENDED})
"""Situations that change nothing for a resource with no wish pending."""

_MAY_ANSWER = frozenset({Phase.STARTED, Phase.UNKNOWN})

_BROKEN = frozenset({Reason.ENDPOINT_FAILED, Reason.STOPPED_REMOTELY, Reason.REMOTE_MISSING})


def row(case: Case, situation: Situation) -> Row:
    """The row of the table that a situation is in."""
    if situation.reason in GRACED and case.observed.unsynced >= case.timing.grace:
        return _A_PERSON
    if situation.reason in _QUIET and not situation.pending:
        return _AS_BEFORE
    return ROWS[situation.reason]


def report(
    case: Case,
    decision: Decision,
    *,
    wall: float,
    price: Decimal | None,
    inference_url: str,
) -> Status:
    """The status as it should read now.

    Args:
        case: The resource.
        decision: What was decided about it.
        wall: Unix seconds by this machine's clock, for the time of a condition's change.
        price: US dollars per replica and hour, if known.
        inference_url: Base URL under which the endpoint answers.
    """
    step = decision.step
    if isinstance(step, Record):
        status = step.status
    else:
        # What a copy carries is the question that a person is asked; it stands until the answer.
        status = case.record if former_owner(case) is None else case.status
    case = replace(case, status=status)
    update: dict[str, object] = {
        "observed_generation": case.desired.generation,
        "selector": names.SELECTOR,
        "conditions": _conditions(case, decision.situation, wall),
    }
    endpoint = case.endpoint
    if endpoint is not None:
        update |= _mirror(case, endpoint, inference_url)
    if case.record.endpoint_id is not None:
        update["applied"] = case.applied
    else:
        update["replicas"] = 0
    if price is not None and case.record.endpoint_id is not None:
        update["price"] = Price(per_replica_hour=f"{price:.2f}")
    connection = case.desired.spec.connection
    if case.observed.link is Link.CURRENT and connection is not None:
        update["connection_config_map"] = connection.config_map_name
    elif case.observed.link is Link.UNWANTED:
        update["connection_config_map"] = None
    update |= _requests(case, step)
    return status.model_copy(update=update)


def _mirror(case: Case, endpoint: Endpoint, inference_url: str) -> dict[str, object]:
    """Together's words as they are, unchecked: the status leaves out what it cannot hold."""
    known = case.status
    running = endpoint.phase is Phase.STARTED and not case.gone(endpoint.id)
    replicas = endpoint.bounds.min if running else 0
    if endpoint.phase is Phase.UNKNOWN and endpoint.state == known.state:
        replicas = known.replicas or 0
    return {
        "name": endpoint.name,
        "display_name": endpoint.display_name,
        "hardware": endpoint.hardware or known.hardware,
        "owner": endpoint.owner or known.owner,
        "created_at": format_time(endpoint.created_at) if endpoint.created_at else known.created_at,
        "state": endpoint.state,
        "autoscaling": StatusAutoscaling.model_construct(
            min_replicas=endpoint.bounds.min, max_replicas=endpoint.bounds.max
        ),
        "replicas": replicas,
        "ready_replicas": endpoint.ready_replicas,
        "inference": _inference(case, endpoint, inference_url),
        "deployments": tuple(as_known(entry, endpoint) for entry in case.record.deployments),
    }


def _inference(case: Case, endpoint: Endpoint, url: str) -> Inference | None:
    """How to call it; without a key at hand the URL is not known, and what is known stays."""
    if not url:
        return case.status.inference
    return Inference.model_construct(base_url=url, model=endpoint.name)


def _requests(case: Case, step: Step) -> dict[str, object]:
    """Which wishes of a person count as handled with this write."""
    handled: dict[str, object] = {}
    wish = case.desired.reconcile_requested_at
    operation = case.operation
    if case.record.endpoint_id is not None:
        refusal = operation.refusal if operation is not None else None
        stands = refusal is not None and refusal.generation == case.desired.generation
        # To have a deployment made that was refused, or failed, is the wish as well.
        looked = case.memory.refreshed_for == wish and not stands
    else:
        # To try a refused order again is the wish, however long something else is in the way.
        refused = operation is not None and operation.phase is OperationPhase.REFUSED
        looked = not (refused and isinstance(step, Wait))
    if wish is not None and looked:
        handled["last_handled_reconcile_at"] = wish
    restart = case.desired.restart_requested_at
    endpoint = case.endpoint
    if restart is not None and endpoint is not None:
        # What is just stopping is still to be started, and what is suspended may be later.
        running = endpoint.phase in (Phase.PENDING, Phase.STARTING, Phase.STARTED)
        if running or not case.desired.started or case.memory.restarted_for == restart:
            handled["last_handled_restart_at"] = restart
    return handled


def _conditions(case: Case, situation: Situation, wall: float) -> tuple[Condition, ...]:
    now = format_time(wall)
    if situation.keep and len(case.status.conditions) == len(ConditionType):
        return tuple(
            c.model_copy(update={"observed_generation": case.desired.generation})
            for c in case.status.conditions
        )
    line = row(case, situation)
    word, text = situation.reason.value, situation.message
    ready, told, why = line.ready, word, text
    beneath = situation.beneath
    if ready is None and beneath is not None and ROWS[beneath.reason].ready:
        ready, told, why = True, beneath.reason.value, beneath.message

    def condition(kind: ConditionType, value: bool | None, reason: str, message: str) -> Condition:
        old = case.condition(kind)
        status = {True: "True", False: "False"}.get(value) if value is not None else None
        if status is None:
            status = old.status if old is not None else "Unknown"
        since = old.last_transition_time if old is not None and old.status == status else now
        if value is None and old is not None and kind is ConditionType.READY:
            reason, message = old.reason, old.message
        return Condition(
            type=kind,
            status=status,
            observed_generation=case.desired.generation,
            last_transition_time=since,
            reason=reason,
            message=message,
        )

    return (
        condition(ConditionType.READY, ready, told, why),
        condition(ConditionType.RECONCILING, line.reconciling, word, text),
        condition(ConditionType.STALLED, line.stalled, word, text),
        condition(ConditionType.AVAILABLE, _available(case, situation), word, text),
        condition(ConditionType.SYNCED, situation.cause is None, word, text),
    )


def _available(case: Case, situation: Situation) -> bool | None:
    """As observed; kept where nothing new can be known."""
    known = case.record.endpoint_id
    if situation.reason in _BROKEN:
        return False
    if known is not None and case.desired.deleting and case.missing(known):
        return False
    if known is not None and case.gone(known):
        return False
    if situation.cause is not None and case.record.endpoint_id is not None:
        # A missing Secret does not blind the copy of its key: what is seen not to run is not kept.
        halted = case.endpoint is not None and case.endpoint.phase not in _MAY_ANSWER
        return False if halted else _KEEP
    if case.endpoint is not None and case.endpoint.phase is Phase.UNKNOWN:
        return None if case.observed.poll is None else False
    return case.serving
